"""Training, evaluating and resuming by the command line, end to end."""

import json
import pickle
from pathlib import Path

import coco_folder
import pytest
import torch
from mmengine.config import Config


def scalars(work_dir: Path) -> list[dict]:
    """Everything the last run logged."""
    runs = work_dir.glob('*/vis_data/scalars.json')
    newest = max(runs, key=lambda path: path.stat().st_mtime)
    return [json.loads(line) for line in newest.read_text().splitlines()]


@pytest.fixture(scope='module')
def trained(tiny, train_tool):
    """Work directory of a finished run."""
    work_dir = tiny / 'run'
    assert train_tool([str(tiny / 'tiny.py'), '--work-dir', str(work_dir)]) == 0
    return work_dir


def test_run_leaves_checkpoints_results_and_a_whole_config(trained, tiny):
    assert (trained / 'epoch_1.pth').is_file()
    assert list(trained.glob('best_coco_bbox_mAP_epoch_1.pth'))
    logged = scalars(trained)
    losses = [entry['loss'] for entry in logged if 'loss' in entry]
    assert len(losses) == 2 and all(loss > 0 for loss in losses)
    assert any('coco/bbox_mAP' in entry for entry in logged)
    cfg = Config.fromfile(trained / 'tiny.py')
    assert cfg.train_dataloader.dataset.ann_file == 'train/annotations.json'
    assert 'custom_data' not in cfg


def test_resume_goes_on_after_the_last_epoch(trained, tiny, train_tool):
    arguments = [str(tiny / 'tiny.py'), '--work-dir', str(trained), '--resume']
    more = ['--cfg-options', 'train_cfg.max_epochs=2']
    earlier = scalars(trained)
    assert train_tool([*arguments, *more]) == 0
    # Runs that start within one second share a log folder.
    later = [entry for entry in scalars(trained) if entry not in earlier]
    assert [entry['step'] for entry in later if 'loss' in entry] == [3, 4]
    assert (trained / 'epoch_2.pth').is_file()
    again = tiny / 'run_by_path'
    by_path = [
        arguments[0],
        '--work-dir',
        str(again),
        '--resume',
        str(trained / 'epoch_1.pth'),
    ]
    assert train_tool([*by_path, *more]) == 0
    assert [e['step'] for e in scalars(again) if 'loss' in e] == [3, 4]


def test_evaluation_writes_predictions_and_pictures(trained, tiny, test_tool):
    out = tiny / 'out.pkl'
    arguments = [
        *(str(tiny / 'tiny.py'), str(trained / 'epoch_1.pth')),
        *('--work-dir', str(tiny / 'tested'), '--out', str(out), '--show-dir', 'shown'),
        *('--cfg-options', 'test_evaluator.classwise=True'),
    ]
    # The evaluator is filled in from custom_data, yet keeps what options set.
    assert test_tool(arguments) == 0
    with open(out, 'rb') as file:
        predictions = pickle.load(file)
    assert [p['img_id'] for p in predictions] == [1, 2]
    found = predictions[0]['pred_instances']
    assert found['bboxes'].shape == (5, 4)
    assert set(found['label_names']) <= {'red', 'green', 'blue'}
    results = json.loads(next((tiny / 'tested').glob('*/*.json')).read_text())
    assert 'coco/bbox_mAP' in results and 'coco/red_precision' in results
    shown = sorted(p.name for p in (tiny / 'tested').glob('*/shown/*'))
    assert shown == ['0.png', '1.png']


def test_two_sets_with_classes_of_their_own(tiny, train_tool):
    other = coco_folder.content(num_images=3, size=(64, 64))
    for category, name in zip(other['categories'], ('cat', 'dog', 'cow')):
        category['name'] = name
    coco_folder.write(tiny / 'other', other)
    sets = '[dict(ann_file="train/annotations.json"),'
    sets += 'dict(ann_file="other/annotations.json",repeat=2)]'
    text = (tiny / 'tiny.py').read_text()
    text += f'\ncustom_data["train"] = custom_data["val"] = {sets}\n'
    # 'train' is no telling name, so the folder above it is.
    text += 'custom_data["val"][0]["name"] = "colours"\n'
    (tiny / 'two.py').write_text(text)
    work_dir = tiny / 'two'
    assert train_tool([str(tiny / 'two.py'), '--work-dir', str(work_dir)]) == 0
    logged = scalars(work_dir)
    assert len([e for e in logged if 'loss' in e]) == (4 + 6) // 2
    results = next(e for e in logged if 'coco/bbox_mAP' in e)
    assert {'colours/coco/bbox_mAP', 'other/coco/bbox_mAP'} <= results.keys()
    assert list(work_dir.glob('best_coco_bbox_mAP*.pth'))


def error_of(tool, capsys, *arguments) -> str:
    """The one line a failing tool prints."""
    assert tool([str(a) for a in arguments]) != 0
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith('error: ')
    return said


def test_mistakes_are_one_line(tiny, trained, train_tool, test_tool, capsys):
    config, weights = tiny / 'tiny.py', trained / 'epoch_1.pth'
    work_dir = ('--work-dir', tiny / 'wrong')
    broken = tiny / 'broken.py'
    broken.write_text('model = dict(')

    def train_error(*more):
        return error_of(train_tool, capsys, config, *work_dir, *more)

    def test_error(*more):
        return error_of(test_tool, capsys, config, *more, *work_dir)

    assert 'none.py' in error_of(train_tool, capsys, tiny / 'none.py')
    assert 'broken.py' in error_of(train_tool, capsys, broken)
    option = 'custom_data.train.ann_file=none.json'
    assert 'none.json' in train_error('--cfg-options', option)
    option = 'custom_data.classes=[red,purple]'
    assert 'purple' in train_error('--cfg-options', option)
    option = 'model.neck.type=Nonsense'
    assert 'Nonsense' in train_error('--cfg-options', option)
    assert 'auto_scale_lr' in train_error(
        '--auto-scale-lr', '--cfg-options', 'auto_scale_lr=None'
    )
    assert 'none.pth' in train_error('--resume', tiny / 'none.pth')
    if not torch.cuda.is_available():
        assert 'fp16' in train_error('--amp', 'fp16')
    assert '.pkl' in test_error(weights, '--out', 'x.json')
    assert 'none.pth' in test_error(tiny / 'none.pth')


@pytest.mark.slow
def test_broken_picture_ends_an_evaluation_but_not_a_training(
    tiny, trained, train_tool, test_tool, capsys
):
    picture = tiny / 'valid' / '1.png'
    intact = picture.read_bytes()
    picture.write_bytes(b'')
    try:
        arguments = [tiny / 'tiny.py', trained / 'epoch_1.pth']
        workers = ['--cfg-options', 'custom_data.num_workers=1']
        said = error_of(
            test_tool, capsys, *arguments, '--work-dir', tiny / 'wrong', *workers
        )
        assert str(picture) in said and 'empty' in said
        swapped = [
            'custom_data.train.ann_file=valid/annotations.json',
            'custom_data.val=None',
        ]
        ran = train_tool(
            [
                *(str(tiny / 'tiny.py'), '--work-dir', str(tiny / 'skipping')),
                *('--cfg-options', *swapped),
            ]
        )
        assert ran == 0
    finally:
        picture.write_bytes(intact)
    assert (
        'picture skipped (1 so far)'
        in next((tiny / 'skipping').glob('*/*.log')).read_text()
    )
    listed = (tiny / 'skipping' / 'broken_pictures.txt').read_text()
    assert listed == f'{picture}: the file is empty (0 bytes)\n'
