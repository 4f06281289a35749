"""The picture at the end of a training."""

import json

from PIL import Image

from glip.report.log_figures import draw_curves, read_curves


def log(work_dir, name: str, *entries: dict, tail: str = ''):
    folder = work_dir / name / 'vis_data'
    folder.mkdir(parents=True)
    lines = ''.join(json.dumps(entry) + '\n' for entry in entries)
    (folder / 'scalars.json').write_text(lines + tail)


def step(number: int, loss: float) -> dict:
    rates = dict(lr=1e-4, base_lr=1e-4, language_lr=1e-5)
    losses = dict(loss=loss, loss_cls=loss / 2)
    return rates | losses | dict(epoch=1, iter=number, step=number, memory=100)


def result(epoch: int, value: float) -> dict:
    return {'coco/bbox_mAP': value, 'coco/cat_precision': 1.0, 'step': epoch}


def test_a_resumed_run_continues_where_it_was_resumed(tmp_path):
    first = [step(10, 3.0), step(20, 2.0), result(1, 0.1), step(30, 99.0)]
    log(tmp_path, '20250101_000000', *first, result(2, 0.9), tail='{"loss": 1')
    # Resumed from the checkpoint of step 20.
    log(tmp_path, '20250102_000000', step(30, 1.0), step(40, 0.5), result(2, 0.2))
    curves = read_curves(tmp_path)
    assert curves.losses['loss'] == {10: 3.0, 20: 2.0, 30: 1.0, 40: 0.5}
    assert curves.losses['loss_cls'] == {10: 1.5, 20: 1.0, 30: 0.5, 40: 0.25}
    assert set(curves.rates) == {'lr', 'base_lr', 'language_lr'}
    assert curves.results == {'coco/bbox_mAP': {20: 0.1, 40: 0.2}}


def test_the_picture_is_written_and_replaced(tmp_path):
    log(tmp_path, '20250101_000000', step(1, float('nan')), step(2, 1.0))
    path = draw_curves(tmp_path)
    assert path == tmp_path / 'curves.png'
    without = Image.open(path).height
    log(tmp_path, '20250102_000000', step(3, 1.0), result(1, 0.5))
    draw_curves(tmp_path)
    assert Image.open(path).height > without  # one panel more


def test_without_losses_there_is_no_picture(tmp_path):
    assert draw_curves(tmp_path) is None
    log(tmp_path, '20250101_000000', result(1, 0.5))
    assert draw_curves(tmp_path) is None
    assert not (tmp_path / 'curves.png').exists()


def test_only_the_telling_results_are_drawn(tmp_path):
    many = {f'set{i}/coco/bbox_mAP_50': 0.1 for i in range(12)}
    log(tmp_path, '20250101_000000', step(1, 1.0), many | {'coco/bbox_mAP': 0.2})
    assert len(read_curves(tmp_path).results) == 13
    assert draw_curves(tmp_path) is not None
