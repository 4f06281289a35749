"""The notebooks run from top to bottom, and are stored with what they show."""

import base64
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip('nbformat')
nbclient = pytest.importorskip('nbclient')

_ROOT = Path(__file__).resolve().parent.parent
_NOTEBOOKS = sorted((_ROOT / 'notebooks').glob('*.ipynb'))
_LARGEST = 400_000  # bytes of a picture
# Modules that a notebook needs beside glip, and what it writes, below its work_dirs.
_NEEDS = {'few_shot_to_deployment': ('onnxscript', 'onnxruntime')}
_WRITES = {
    'detect_and_label': ['train/annotations.json', 'review/index.html'],
    'few_shot_to_deployment': ['badge.onnx', 'run/few_shot.md'],
}


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == 'code']


def _pictures(notebook):
    return [
        output.data['image/jpeg']
        for cell in _code(notebook)
        for output in cell.outputs
        if 'image/jpeg' in output.get('data', {})
    ]


@pytest.fixture(params=_NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


def test_all_are_here():
    assert {path.stem for path in _NOTEBOOKS} == set(_WRITES)


def test_stored_results(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = _code(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [
        o for o in outputs if o.output_type == 'error' or o.get('name') == 'stderr'
    ]
    pictures = _pictures(notebook)
    assert len(pictures) >= 3
    assert max(len(base64.b64decode(picture)) for picture in pictures) < _LARGEST
    text = re.sub(r'"image/jpeg": "[^"]*"', '', path.read_text(encoding='utf-8'))
    assert not re.search(r'(?:^|[\s"\'(])(?:/\w+/|[A-Z]:\\)', text)  # of a machine


@pytest.mark.slow
def test_runs(path, tmp_path, monkeypatch):
    for module in ('ipykernel', 'pandas', *_NEEDS.get(path.stem, ())):
        pytest.importorskip(module)
    for name in ('configs', 'demo', 'notebooks'):
        shutil.copytree(
            _ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns('work_dirs')
        )
    # The commands in it are run by this Python, with this glip.
    before = os.environ.get('PYTHONPATH')
    folders = [str(_ROOT), *([before] if before else [])]
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(folders))
    folders = [str(Path(sys.executable).parent), os.environ['PATH']]
    monkeypatch.setenv('PATH', os.pathsep.join(folders))
    notebook = nbformat.read(path, as_version=4)
    stored = len(_pictures(notebook))
    folder = tmp_path / 'notebooks'
    nbclient.NotebookClient(
        notebook,
        timeout=1200,
        kernel_name='python3',
        resources={'metadata': {'path': str(folder)}},
    ).execute()
    assert len(_pictures(notebook)) == stored
    for written in _WRITES[path.stem]:
        assert (folder / 'work_dirs' / path.stem / written).is_file()
    shutil.rmtree(folder / 'work_dirs')  # weights
