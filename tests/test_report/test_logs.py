"""Training logs."""

import json

import pytest
from PIL import Image

from glip.errors import ConfigError, DatasetError
from glip.report.log_figures import draw_keys
from glip.report.logs import read_log, time_lines


def write(folder, name='1', epochs=2, lines=3, **more):
    """A run of epochs, each validated at its end."""
    entries, step = [], 0
    for epoch in range(1, epochs + 1):
        for i in range(1, lines + 1):
            step += 10
            entries.append(
                {
                    'loss': 1 / step,
                    'loss_cls': 0.5 / step,
                    'time': (9.0 if i == 1 else 0.1 * epoch),
                    'epoch': epoch,
                    'iter': 10 * i,
                    'step': step,
                    **more,
                }
            )
        entries.append({'coco/bbox_mAP': 0.1 * epoch, 'step': epoch})
    path = folder / name / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(map(json.dumps, entries)) + '\n')
    return path


def test_curves_by_iteration_and_by_epoch(tmp_path):
    log = read_log(write(tmp_path))
    over, places, values = log.curve('loss_cls')
    assert over == 'iter' and places.tolist() == [10, 20, 30, 40, 50, 60]
    assert values[0] == 0.05
    over, places, values = log.curve('bbox_mAP')
    assert over == 'epoch' and places.tolist() == [1, 2]
    assert values.tolist() == [0.1, 0.2]
    assert log.curve('loss', start_epoch=2)[1].tolist() == [40, 50, 60]


def test_results_of_a_training_by_iterations_are_over_iterations(tmp_path):
    path = tmp_path / 'scalars.json'
    entries = [{'loss': 1.0, 'iter': 50, 'step': 50}, {'lvis/AP': 0.2, 'step': 50}]
    path.write_text('\n'.join(map(json.dumps, entries)))
    over, places, _ = read_log(path).curve('AP')
    assert over == 'iter' and places.tolist() == [50]


def test_the_latest_run_of_a_work_directory_is_taken(tmp_path):
    write(tmp_path, '20260101_000000')
    latest = write(tmp_path, '20260102_000000')
    assert read_log(tmp_path).path == latest
    assert read_log(latest.parent).path == latest
    assert read_log(latest.parent.parent).path == latest


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text() + '{"loss": 0.')
    assert len(read_log(path).entries) == 8


def test_times_without_and_with_outliers(tmp_path):
    log = read_log(write(tmp_path))
    lines = time_lines(log)
    assert lines[1] == 'slowest epoch 2, average time is 0.2000 s/iter'
    assert lines[2] == 'fastest epoch 1, average time is 0.1000 s/iter'
    assert lines[3] == 'time std over epochs is 0.0500'
    assert lines[4] == 'average iter time: 0.1500 s/iter'
    assert '3.1000' in time_lines(log, include_outliers=True)[4]


def test_a_picture_of_several_runs(tmp_path):
    logs = [read_log(write(tmp_path, name)) for name in ('a', 'b')]
    out = draw_keys(
        logs,
        ['loss', 'bbox_mAP'],
        tmp_path / 'x.png',
        legend=list('abcd'),
        title='runs',
        style='ggplot',
    )
    with Image.open(out) as image:
        assert image.width > 500
    assert draw_keys(logs, ['loss'], tmp_path / 'x.pdf').stat().st_size > 1000


def test_what_is_not_in_the_log_is_said(tmp_path):
    log = read_log(write(tmp_path, **{'a/x': 1, 'b/x': 2}))
    with pytest.raises(DatasetError, match='no loss_clss; did you mean loss_cls'):
        log.curve('loss_clss')
    with pytest.raises(DatasetError, match='several x: a/x, b/x'):
        log.curve('x')
    with pytest.raises(DatasetError, match='from epoch 9 on'):
        log.curve('loss', start_epoch=9)


def test_logs_without_times_are_said(tmp_path):
    path = write(tmp_path, lines=1)
    with pytest.raises(DatasetError, match='--include-outliers'):
        time_lines(read_log(path))
    path.write_text('{"coco/bbox_mAP": 0.1, "step": 1}\n')
    with pytest.raises(DatasetError, match='no time'):
        time_lines(read_log(path))


@pytest.mark.parametrize('text', ['', 'hello\n', '[1, 2]\n', '{"a": "b"}'])
def test_other_files_are_said(tmp_path, text):
    path = tmp_path / 'x.json'
    path.write_text(text)
    with pytest.raises(DatasetError, match='no log of a training'):
        read_log(path)


def test_missing_logs_are_said(tmp_path):
    with pytest.raises(DatasetError, match='does not exist'):
        read_log(tmp_path / 'x.json')
    with pytest.raises(DatasetError, match='has no log'):
        read_log(tmp_path)
    (tmp_path / 'x.json').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(DatasetError, match='cannot be read as text'):
        read_log(tmp_path / 'x.json')


def test_what_cannot_be_drawn_is_said(tmp_path):
    log = read_log(write(tmp_path))
    with pytest.raises(ConfigError, match='2 names for 1 keys of 1 logs; give 1'):
        draw_keys([log], ['loss'], tmp_path / 'x.png', legend=['a', 'b'])
    with pytest.raises(ConfigError, match='no style gplot; did you mean ggplot'):
        draw_keys([log], ['loss'], tmp_path / 'x.png', style='gplot')
    with pytest.raises(ConfigError, match='cannot write'):
        draw_keys([log], ['loss'], tmp_path / 'x.what')
    with pytest.raises(ConfigError, match='cannot write'):
        draw_keys([log], ['loss'], tmp_path / 'no' / 'x.png')
