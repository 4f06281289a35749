"""Labels of the command line are trained on and looked at by the other tools."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from colour_teacher import draw, write_teacher
from killed_labelling import files_of
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
CAPTION = 'a red box beside a green box'


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp('source')
    write_teacher(folder)
    lines = []
    for number in range(4):
        draw(
            folder / f'pictures/{number}.png', red=(4, 6, 30, 40), green=(34, 8, 60, 30)
        )
        lines.append(json.dumps({'image': f'{number}.png', 'caption': CAPTION}))
    (folder / 'captions.jsonl').write_text('\n'.join(lines))
    return folder


def arguments(source, out):
    return [
        *(str(source / 'teacher.py'), str(source / 'teacher.pth')),
        *('--captions', str(source / 'captions.jsonl')),
        *('--data-root', str(source / 'pictures'), '--out', str(out)),
        *('--shard-size', '1'),
    ]


@pytest.fixture(scope='module')
def labelled(source, label_tool):
    out = source / 'out'
    assert label_tool(arguments(source, out)) == 0
    return out


def test_what_is_written_is_said(source, labelled, label_tool, capsys):
    assert label_tool(arguments(source, labelled)) == 0  # ready already
    out = capsys.readouterr().out
    assert 'labels.jsonl: 4 records with 8 boxes of 4 pictures' in out
    assert label_tool([*arguments(source, labelled), '--score-thr', '0.8']) == 1
    assert 'score_thr' in capsys.readouterr().err


def options(source, labelled, *more):
    return [
        *('--cfg-options', 'custom_data.val=None', 'custom_data.data_root='),
        f'custom_data.train.ann_file={labelled / "labels.jsonl"}',
        f'custom_data.train.img={source / "pictures"}',
        *(f'custom_data.train.{option}' for option in more),
    ]


def test_labels_are_trained_on_and_looked_at(
    source, labelled, tiny, train_tool, browse_tool, tmp_path
):
    config = str(tiny / 'tiny.py')
    page = tmp_path / 'page'
    seen = options(source, labelled, 'min_score=0.8')
    assert browse_tool([config, '-o', str(page), *seen]) == 0
    articles = re.findall(
        r'<article.*?</article>', (page / 'index.html').read_text(), re.S
    )
    assert len(articles) == 4
    for article in articles:  # what scored 0.7 is not taken
        assert re.findall(r'<mark[^>]*>([^<]*)</mark>', article) == ['a red box']
    work_dir = tmp_path / 'run'
    weighed = options(source, labelled, 'weigh_by_score=True')
    assert train_tool([config, '--work-dir', str(work_dir), *weighed]) == 0
    losses = [
        json.loads(line)
        for path in work_dir.glob('*/vis_data/scalars.json')
        for line in path.read_text().splitlines()
    ]
    assert len(losses) == 2
    assert all(0 < entry['loss_bbox'] < 2 * 0.9 for entry in losses)
    dataset = Config.fromfile(work_dir / 'tiny.py').train_dataloader.dataset
    assert dataset.weigh_by_score and dataset.type == 'ODVGDataset'


@pytest.mark.slow
def test_two_processes_of_torchrun(source, labelled, tmp_path):
    command = [
        *(sys.executable, '-m', 'torch.distributed.run', '--standalone'),
        *('--nproc_per_node', '2', 'tools/pseudo_label.py'),
        *arguments(source, tmp_path / 'out'),
    ]
    path = os.pathsep.join([str(ROOT), str(ROOT / 'tests')])
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {'PYTHONPATH': path, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert files_of(tmp_path / 'out') == files_of(labelled)
