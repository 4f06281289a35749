"""Few-shot runs by the command line: every task once, one table."""

import errno
import json
import shutil
from pathlib import Path

import coco_folder
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from glip.checkpoints import read_checkpoint
from glip.engine.hooks import CheckpointHook
from glip.registry import MODELS


@pytest.fixture(scope='module')
def few_shot(tiny, few_shot_tool, tmp_path_factory):
    """Run the tool on small sets; returns the table of its JSON file."""
    text = (tiny / 'tiny.py').read_text().replace('custom_data = ', 'not_used = ')
    # What knows nothing hits nothing by the usual overlaps.
    text += (
        '\nval_evaluator = dict(iou_thrs=[0.01, 0.3])\ntest_evaluator = val_evaluator'
    )
    text += '\ncustom_data = dict(batch_size=8, num_workers=0)'
    folder = tmp_path_factory.mktemp('few_shot')
    config = folder / 'base.py'
    config.write_text(text)
    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry('glip'):
        model = MODELS.build(Config.fromfile(tiny / 'tiny.py').model)
    weights = folder / 'weights.pth'
    torch.save(dict(state_dict=model.state_dict()), weights)

    def run(data, work_dir, *flags, code=0):
        arguments = [config, weights, '--work-dir', work_dir, '--max-epochs', 2]
        arguments += ['--data', *([data] if isinstance(data, Path) else data), *flags]
        assert few_shot_tool([str(a) for a in arguments]) == code
        file = work_dir / 'few_shot.json'
        return json.loads(file.read_text()) if file.is_file() else None

    return run


@pytest.fixture
def colours(tmp_path):
    """A set of three classes, each in four of six pictures."""
    for split, count in (('train', 6), ('valid', 2), ('test', 3)):
        coco_folder.write(tmp_path / 'colours' / split, num_images=count, size=(64, 64))
    return tmp_path / 'colours'


def written(work_dir):
    return {p: p.stat().st_mtime_ns for p in work_dir.glob('**/result.json')}


@pytest.mark.slow
def test_every_task_once(few_shot, colours, tmp_path, capsys):
    work_dir = tmp_path / 'run'
    flags = ('--tuning', 'full', 'linear_probe')
    table = few_shot(colours, work_dir, '--shots', '0', '1', '--seeds', '3', *flags)
    assert 'colours' in capsys.readouterr().out
    cells = {(r['shots'], r['tuning']): r for r in table['results']}
    assert set(cells) == {(0, None), (1, 'full'), (1, 'linear_probe')}
    for result in table['results']:
        assert 0 <= result['AP'] <= 1
        assert result['tested'] == 'test split, 3 pictures'
    trained = cells[1, 'linear_probe']
    names = (work_dir / 'colours/fewshot_train_shot1_seed3.txt').read_text().split()
    assert 2 <= len(names) == trained['pictures'] < 6
    # Eight copies of each, and eight a step.
    log = next((work_dir / 'colours/linear_probe/1_shot_seed3').glob('*/*.log'))
    assert f'Epoch(train) [2][{len(names)}/{len(names)}]' in log.read_text()
    best = [f.name for f in (work_dir / 'colours/full/1_shot_seed3').glob('*.pth')]
    assert best == [f'best_coco_bbox_mAP_epoch_{cells[1, "full"]["epoch"]}.pth']
    # What is not tuned is not stored.
    tuned = 'colours/linear_probe/1_shot_seed3/linear_probe.safetensors'
    assert trained['weights'] == tuned and (work_dir / tuned).is_file()
    assert not list((work_dir / 'colours/linear_probe').glob('*/*.pth'))
    assert (work_dir / 'few_shot.png').is_file()

    before = written(work_dir)
    again = few_shot(colours, work_dir, '--shots', '1', '--seeds', '3', *flags)
    assert again['rows'] == table['rows'] and written(work_dir) == before
    more = few_shot(colours, work_dir, '--shots', 'all', '--seeds', '3', '30')
    assert before.items() < written(work_dir).items()
    assert [r['seeds'] for r in more['rows'] if r['shots'] == 'all'] == [1]
    assert {r['pictures'] for r in more['rows'] if r['shots'] == 'all'} == {6}


class Stop(Hook):
    """Interrupts a training once an epoch was validated."""

    priority = 'LOWEST'

    def after_val_epoch(self, runner, metrics=None):
        if runner.epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupted_task_goes_on(few_shot, colours, tmp_path, monkeypatch):
    flags = ('--shots', '1', '--seeds', '3', '--cfg-options', 'log_level=WARNING')
    (whole,) = few_shot(colours, tmp_path / 'whole', *flags)['results']
    monkeypatch.setattr(
        CheckpointHook, 'after_val_epoch', Stop.after_val_epoch, raising=True
    )
    few_shot(colours, tmp_path / 'cut', *flags, code=130)
    task = tmp_path / 'cut/colours/full/1_shot_seed3'
    assert (task / 'epoch_1.pth').is_file()
    monkeypatch.undo()
    (resumed,) = few_shot(colours, tmp_path / 'cut', *flags)['results']
    for result in (whole, resumed):
        result.pop('seconds')
    assert resumed == whole
    states = [
        read_checkpoint(tmp_path / run / whole['weights'])['state_dict']
        for run in ('whole', 'cut')
    ]
    assert all(torch.equal(t, states[1][name]) for name, t in states[0].items())


def test_a_full_disk_is_one_line(few_shot, colours, tmp_path, monkeypatch, capsys):
    def no_room(folder):
        raise OSError(errno.ENOSPC, 'No space left on device')

    flags = ('--shots', '1', '--seeds', '3', '--tuning', 'prompt', '--max-epochs', '1')
    monkeypatch.setattr('glip.teach.few_shot.run.draw_curves', no_room)
    few_shot(colours, tmp_path / 'run', *flags, code=1)
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('error: ') and 'No space left on device' in error
    monkeypatch.undo()
    assert len(few_shot(colours, tmp_path / 'run', *flags)['results']) == 1


def test_draws_of_the_data_are_used(few_shot, colours, tmp_path):
    content = json.loads((colours / 'train/annotations.json').read_text())
    content['images'] = content['images'][:1]
    content['annotations'] = content['annotations'][:2]
    (colours / 'train/fewshot_train_shot3_seed30.json').write_text(json.dumps(content))
    flags = ('--shots', '3', '--seeds', '30', '--val-shots', '1', '--no-weights')
    (result,) = few_shot(colours, tmp_path / 'run', *flags)['results']
    assert result['pictures'] == 1 and result['weights'] is None
    task = tmp_path / 'run/colours'
    assert not list(task.glob('fewshot_train*')) and not list(task.glob('**/*.pth'))
    assert len((task / 'val_shot1.txt').read_text().split()) == 2


def test_a_class_with_too_few_pictures_is_counted(few_shot, colours, tmp_path, capsys):
    path = colours / 'train/annotations.json'
    content = json.loads(path.read_text())
    red = [box for box in content['annotations'] if box['category_id'] == 1]
    content['annotations'] = [b for b in content['annotations'] if b not in red[1:]]
    path.write_text(json.dumps(content))
    flags = ('--shots', '5', '--seeds', '3', '30', '--tuning', 'prompt')
    table = few_shot(colours, tmp_path / 'run', *flags, '--max-epochs', '1')
    short = dict(red=1, green=4, blue=4)
    assert [r['short'] for r in table['results']] == [short, short]
    out, err = capsys.readouterr()
    assert 'only 1 picture shows red' in out and 'only 4 pictures show green' in out
    assert 'Traceback' not in err  # what the first task logged to is closed


def test_what_concerns_one_task_stops_no_other(few_shot, colours, tmp_path, capsys):
    shutil.copytree(colours, tmp_path / 'broken')
    for picture in (tmp_path / 'broken/test').glob('*.png'):
        picture.write_bytes(b'no picture')
    data = [tmp_path / 'broken', colours]
    table = few_shot(data, tmp_path / 'run', '--shots', '0', code=1)
    assert [r['set'] for r in table['results']] == ['colours']
    assert len(table['notes']) == 1 and 'broken' in table['notes'][0]


@pytest.mark.parametrize(
    ('flags', 'word'),
    [
        (('--shots', 'few'), 'few'),
        (('--shots', '-1'), '-1'),
        (('--seeds', '-3'), '-3'),
        (('--tuning', 'fine'), 'fine'),
        (('--max-epochs', '0'), '0'),
        (('--val-shots', '0'), '0'),
    ],
)
def test_flags_that_mean_nothing(few_shot, colours, tmp_path, capsys, flags, word):
    few_shot(colours, tmp_path / 'run', *flags, code=1)
    error = capsys.readouterr().err.strip()
    assert error.startswith('error: ') and '\n' not in error and word in error


def test_unusable_sets_are_refused_before_the_first_task(
    few_shot, colours, tmp_path, capsys
):
    def refused(data):
        few_shot(data, tmp_path / 'run', '--shots', '1', code=1)
        error = capsys.readouterr().err.strip()
        assert error.startswith('error: ') and '\n' not in error
        assert not list((tmp_path / 'run').glob('*/*'))

    refused(tmp_path / 'nowhere')
    path = colours / 'valid/annotations.json'
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(content, annotations=[])))
    refused(colours)
    shutil.rmtree(colours / 'valid')
    refused(colours)


def test_results_of_other_settings_do_not_mix(few_shot, colours, tmp_path, capsys):
    run = tmp_path / 'run'
    few_shot(colours, run, '--shots', '0')
    few_shot(colours, run, '--shots', '0', '--val-shots', '1', code=1)
    options = ('--cfg-options', 'model.test_cfg.max_per_img=3')
    few_shot(colours, run, '--shots', '0', *options, code=1)
    path = colours / 'test/annotations.json'
    path.write_text(path.read_text() + '\n')
    few_shot(colours, run, '--shots', '0', code=1)
    assert len(capsys.readouterr().err.strip().splitlines()) >= 3
