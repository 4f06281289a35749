"""A folder of data sets by the command line: one run, one table."""

import json
import pickle
import shutil
from pathlib import Path

import coco_folder
import pytest
import set_folders
import torch
from mmengine.config import Config
from PIL import Image

from glip.registry import MODELS


@pytest.fixture(scope='module')
def mine(tmp_path_factory):
    return set_folders.write(tmp_path_factory.mktemp('sets') / 'mine')


@pytest.fixture(scope='module')
def weights(tiny):
    """Weights of the tiny model, and its config without ``custom_data``."""
    text = (tiny / 'tiny.py').read_text()
    (tiny / 'base.py').write_text(text.replace('custom_data = ', 'not_used = '))
    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry('glip'):
        model = MODELS.build(Config.fromfile(tiny / 'tiny.py').model)
    path = tiny / 'weights.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


@pytest.fixture
def evaluate(tiny, weights, mine, test_tool, tmp_path):
    """Run the tool on the folder; returns its table and where it is."""

    def run(*flags, folder=mine, options=(), code=0):
        arguments = [tiny / 'base.py', weights, '--work-dir', tmp_path / 'run', *flags]
        arguments += ['--cfg-options', f'custom_data.folder={folder}']
        # What knows nothing hits nothing by the usual overlaps.
        arguments += ['custom_data.num_workers=0', 'test_evaluator.iou_thrs=[0.01,0.5]']
        arguments += ['model.test_cfg.max_per_img=50', *options]
        assert test_tool([str(a) for a in arguments]) == code
        if code:
            return None
        file = max((tmp_path / 'run').glob('*/sets.json'))
        return json.loads(file.read_text()), file.parent

    return run


def test_a_table_of_all_sets_is_written(evaluate, mine, tiny, weights):
    table, run = evaluate()
    assert [s['name'] for s in table['sets']] == ['coco', 'ours', 'roboflow']
    assert [s['pictures'] for s in table['sets']] == [3, 2, 2]
    for entry in table['sets']:
        names = [c['name'] for c in entry['classes']]
        assert names == list(set_folders.NAMES[entry['name']])
        assert entry['split'] == 'val' and Path(entry['ann_file']).is_file()
    aps = [s['AP'] for s in table['sets']]
    assert min(aps) > 0 and len(set(aps)) == 3
    assert table['mean']['AP'] == pytest.approx(sum(aps) / 3)
    assert table['checkpoint'] == str(weights)
    assert table['config'] == str(tiny / 'base.py')
    markdown = (run / 'sets.md').read_text()
    assert '| **mean of 3 sets** |' in markdown
    assert markdown.strip() in next(run.glob('*.log')).read_text()
    assert (run / 'sets.csv').read_text().splitlines()[-1].startswith('mean of 3 sets')


@pytest.mark.slow
def test_batch_size_and_resume_change_nothing(evaluate, mine, capsys):
    table, _ = evaluate('--batch-size', '3')
    resumed, _ = evaluate('--resume')
    assert resumed == table
    again, _ = evaluate()
    assert again == table
    evaluate('--resume', folder=mine / 'ours', code=1)
    assert 'another data set' in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.slow
def test_plots_have_a_folder_for_each_set(evaluate):
    _, run = evaluate('--plots')
    folders = sorted(path.name for path in (run / 'plots').iterdir() if path.is_dir())
    assert folders == ['coco', 'ours', 'roboflow']
    assert all((run / 'plots' / n / 'pr_curves.png').is_file() for n in folders)
    with Image.open(run / 'plots' / 'sets.png') as picture:
        assert picture.width > 500


@pytest.mark.slow
def test_views_of_each_set(evaluate, tmp_path):
    table, _ = evaluate('--tta', '--out', str(tmp_path / 'out.pkl'))
    assert (table['mean']['sets'], table['mean']['of']) == (3, 3)
    found = pickle.loads((tmp_path / 'out.pkl').read_bytes())
    words = [tuple(picture['text']) for picture in found]
    names = set_folders.NAMES
    assert words == [names['coco']] * 3 + [names['ours']] * 2 + [names['roboflow']] * 2


def test_absent_sets(evaluate, mine):
    options = ['custom_data.split=test', 'custom_data.skip_missing=True']
    table, run = evaluate(options=options)
    assert [s['name'] for s in table['sets'] if 'absent' in s] == ['coco', 'ours']
    assert (table['mean']['sets'], table['mean']['of']) == (1, 3)
    log = next(run.glob('*.log')).read_text()
    assert 'mean of 1 of 3 sets' in log
    assert f'ours is absent: there is no {mine / "ours" / "test"}' in log


def test_one_set_without_training_data(tiny, weights, mine, test_tool, tmp_path):
    for stage in ('val', 'test'):
        arguments = [tiny / 'base.py', weights, '--work-dir', tmp_path / stage]
        file = mine / 'ours' / 'valid' / 'annotations.json'
        arguments += ['--cfg-options', f'custom_data.{stage}={file}']
        arguments += ['custom_data.num_workers=0']
        assert test_tool([str(a) for a in arguments]) == 0
        results = json.loads(next((tmp_path / stage).glob('*/*.json')).read_text())
        assert results['coco/bbox_mAP'] >= 0


def test_training_by_a_folder(
    tiny, weights, mine, train_tool, test_tool, join_tool, tmp_path
):
    run = ['--work-dir', str(tmp_path / 'run')]
    options = [
        '--cfg-options',
        f'custom_data.folder={mine / "ours"}',
        'custom_data.num_workers=0',
    ]
    base = str(tiny / 'base.py')
    assert train_tool([base, *run, *options, 'custom_data.train_split=val']) == 0
    (best,) = (tmp_path / 'run').glob('best_coco_bbox_mAP*.pth')
    assert test_tool([base, str(best), *run, *options]) == 0
    assert join_tool([str(tmp_path / 'run'), '--out', str(tmp_path / 'joined')]) == 0
    joined = json.loads((tmp_path / 'joined' / 'sets.json').read_text())
    assert [s['checkpoint'] for s in joined['sets']] == [str(best)]


def test_tables_are_joined(join_tool, tmp_path, capsys):
    for name, ap in (('a', 0.25), ('b', 0.75)):
        entry = {'name': name, 'pictures': 2, 'results': {'coco/bbox_mAP': ap}}
        folder = tmp_path / 'tuned' / name / 'run'
        folder.mkdir(parents=True)
        (folder / 'sets.json').write_text(json.dumps({'sets': [entry]}))
    runs = sorted(map(str, (tmp_path / 'tuned').iterdir()))
    assert join_tool(runs) == 0
    assert '| **mean of 2 sets** |        4 |  50.0 |' in capsys.readouterr().out
    assert join_tool([*runs, runs[0]]) == 1
    assert 'the set a ' in capsys.readouterr().err
    assert join_tool([str(tmp_path / 'none')]) == 1
    assert capsys.readouterr().err.startswith('error: ')


@pytest.mark.slow
def test_a_zoo_name_stands_for_its_config(test_tool, tmp_path, capsys):
    coco_folder.write(tmp_path / 'cells' / 'valid', num_images=1)
    arguments = ['glip-nano', '--work-dir', str(tmp_path / 'run'), '--cfg-options']
    arguments += [f'custom_data.folder={tmp_path / "cells"}']
    assert test_tool([*arguments, 'custom_data.num_workers=0']) == 0
    table = json.loads(next((tmp_path / 'run').glob('*/sets.json')).read_text())
    assert table['checkpoint'] == 'glip-nano' and table['sets'][0]['name'] == 'cells'
    assert Path(table['config']).name == 'glip_nano_csp_minilm.py'
    assert test_tool(['glip-nanno']) == 1
    assert 'glip-nano?' in capsys.readouterr().err
    assert test_tool([table['config']]) == 1
    assert 'checkpoint' in capsys.readouterr().err


@pytest.mark.slow
def test_mistakes_are_one_line(evaluate, mine, tmp_path, capsys):
    def said(*options, **more):
        evaluate(options=options, code=1, **more)
        lines = capsys.readouterr().err.strip().splitlines()
        assert lines[-1].startswith('error: ')
        return lines[-1]

    assert 'none' in said(folder=tmp_path / 'none')
    (tmp_path / 'empty').mkdir()
    assert 'empty' in said(folder=tmp_path / 'empty')
    assert "'test'" in said('custom_data.split=test')
    other = tmp_path / 'other'
    shutil.copytree(mine, other)
    for picture in (other / 'ours' / 'valid').glob('*.png'):
        picture.unlink()
    assert str(other / 'ours' / 'valid') in said(folder=other)
    # 'a/b' and 'a_b' would have the same name.
    coco_folder.write(tmp_path / 'same' / 'a' / 'b' / 'valid', num_images=1)
    coco_folder.write(tmp_path / 'same' / 'a' / 'c' / 'valid', num_images=1)
    coco_folder.write(tmp_path / 'same' / 'a_b' / 'valid', num_images=1)
    assert 'a_b' in said(folder=tmp_path / 'same')


def test_classes_that_are_left_out_are_said(evaluate, mine):
    _, run = evaluate(folder=mine / 'ours', options=['custom_data.classes=[red]'])
    log = next(run.glob('*.log')).read_text()
    assert '[green, blue]' in log


@pytest.mark.slow
def test_predictions_of_other_sets_are_refused(
    evaluate, mine, tiny, metric_tool, tmp_path, capsys
):
    out = tmp_path / 'out.pkl'
    evaluate('--out', str(out))
    options = ['--cfg-options', f'custom_data.folder={mine}']
    base = str(tiny / 'base.py')
    assert metric_tool([base, str(out), *options]) == 0
    assert 'roboflow/coco/bbox_mAP' in capsys.readouterr().out
    options[1] = f'custom_data.folder={mine / "ours"}'
    assert metric_tool([base, str(out), *options]) == 1
    assert '7 pictures' in capsys.readouterr().err
    assert len(pickle.loads(out.read_bytes())) == 7
