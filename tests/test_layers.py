"""Rooms of the package import in one direction only."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import glip

_PACKAGE = Path(glip.__file__).resolve().parent
# A room imports from rooms of lines above its own, lazily or not. In strings `registry`
# names where classes register, and `compat` what follows modules of mmdet.
_LINES = (
    {'errors', 'version', 'paths', 'received', 'compat'},
    {'text', 'ops', 'registry'},
    {'runtime'},
    {'models', 'images'},
    {'checkpoints', 'visualization', 'transforms', 'formats', 'sources', 'export'},
    {'config'},
    {'apis'},
    {'datasets'},
    {'evaluation'},
    {'report'},
    {'engine'},
    {'teach', 'drop_in', 'serve', 'page', 'adapters'},
    {'cli'},
    {'__main__'},
)
_LINE_OF = {room: number for number, rooms in enumerate(_LINES) for room in rooms}
_MODULES = [path for path in sorted(_PACKAGE.rglob('*.py')) if '.mim' not in path.parts]


def _name(path):
    parts = path.relative_to(_PACKAGE.parent).with_suffix('').parts
    return parts[:-1] if parts[-1] == '__init__' else parts


def _imported(path):
    """Names of modules, and of what is imported from them."""
    package = _name(path) if path.name == '__init__.py' else _name(path)[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split('.')) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple((node.module or '').split('.')) if node.module else ()
            yield from ((*base, alias.name) for alias in node.names)


@pytest.mark.parametrize('room', sorted(_LINE_OF))
def test_a_room_imports_only_from_lines_above(room):
    wrong = [
        f'{".".join(_name(path))}: {".".join(imported)}'
        for path in _MODULES
        if _name(path)[1:2] == (room,)
        for imported in _imported(path)
        if imported[0] == 'glip' and imported[1] != room
        if imported[1] not in _LINE_OF or _LINE_OF[imported[1]] >= _LINE_OF[room]
    ]
    assert not wrong


def test_no_module_waits_for_itself():
    names = {_name(path) for path in _MODULES}
    graph = {
        _name(path): {full if full in names else full[:-1] for full in _imported(path)}
        for path in _MODULES
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_every_room_has_its_line():
    assert {_name(path)[1] for path in _MODULES if _name(path)[1:]} == set(_LINE_OF)


def test_reference_operations_do_not_need_what_loads_models():
    names = {
        imported[0]
        for path in _MODULES
        if _name(path)[1:2] == ('ops',)
        for imported in _imported(path)
    }
    assert not names & {'mmengine', 'mmdet', 'mmcv', 'transformers'}


def test_only_the_kernels_for_models_know_of_fast_forms():
    """Models and reference operations stand alone; ``use_cpu_kernels`` swaps both."""
    wrong = [
        '.'.join(_name(path))
        for path in _MODULES
        if _name(path)[1:2] in (('ops',), ('models',)) and 'cpu' not in _name(path)
        for imported in _imported(path)
        if imported[:1] == ('glip',) and 'cpu' in imported
    ]
    assert not wrong


def test_matplotlib_waits_until_something_is_drawn():
    """It takes long to import, and most runs draw nothing."""
    for path in _MODULES:
        tree = ast.parse(path.read_text(encoding='utf-8'))
        tree.body = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
        names = {
            alias.name if isinstance(node, ast.Import) else node.module or ''
            for node in tree.body
            for alias in node.names
        }
        assert not {name for name in names if name.split('.')[0] == 'matplotlib'}, path


def test_loading_a_detector_imports_nothing_of_training_or_evaluation():
    code = (
        f'import sys; sys.path.insert(0, {str(_PACKAGE.parent)!r})\n'
        'import glip; glip.load("glip-nano", device="cpu")\n'
        'print(*sys.modules)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert 'glip.apis' in loaded
    assert 'glip.config.resolving' not in loaded
    unwanted = {'datasets', 'engine', 'evaluation', 'report'}
    assert not loaded & {f'glip.{room}' for room in unwanted}


# What only training, evaluation and plots need, and what takes long to import.
_NOT_FOR_INFERENCE = {
    'faster_coco_eval',
    'imgaug',
    'matplotlib',
    'mmcv.cnn',
    'mmcv.ops',
    'mmdet.datasets',
    'mmdet.models',
    'mmengine.model',
    'mmengine.runner',
    'numba',
    'pandas',
    'scipy',
    'skimage',
    'sympy',
    'torch._dynamo',
    'torchvision',
    'transformers',
    'triton',
}


def test_detecting_imports_nothing_that_it_has_no_use_for():
    code = (
        f'import sys; sys.path.insert(0, {str(_PACKAGE.parent)!r})\n'
        'import numpy as np, glip\n'
        'import glip.cli.detect, glip.formats.writers, glip.visualization.drawing\n'
        'detector = glip.load("glip-nano", device="cpu")\n'
        'picture = np.zeros((96, 128, 3), np.uint8)\n'
        'detector(picture, ["cat", "dog"], threshold=0.0).plot(picture)\n'
        'print(*sys.modules)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & _NOT_FOR_INFERENCE


def test_importing_the_package_imports_no_framework():
    code = f'import sys; sys.path.insert(0, {str(_PACKAGE.parent)!r}); import glip'
    done = subprocess.run(
        [sys.executable, '-c', f'{code}; print(*sys.modules)'],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    loaded = {name.partition('.')[0] for name in done.stdout.split()}
    assert not loaded & {'torch', 'mmengine', 'mmcv', 'mmdet', 'numpy', 'transformers'}
