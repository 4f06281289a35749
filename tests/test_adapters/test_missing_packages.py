"""Adapters without the package of their tool: one line, when they are used."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import glip
from glip.errors import GLIPError

ADAPTERS = {
    'sahi': ('sahi', 'SahiModel'),
    'fiftyone': ('fiftyone', 'FiftyOneModel'),
    'cvat': ('cvat_sdk', 'CvatFunction'),
    'autodistill': ('autodistill', 'AutodistillModel'),
}


@pytest.fixture
def without(monkeypatch):
    """Import an adapter's module anew, as it is where a package is missing."""
    fresh = []

    def load(module, package):
        for name in [n for n in sys.modules if n.partition('.')[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)
        fresh.append(f'glip.adapters.{module}')
        monkeypatch.delitem(sys.modules, fresh[-1], raising=False)
        return importlib.import_module(fresh[-1])

    yield load
    for name in fresh:
        sys.modules.pop(name, None)


@pytest.mark.parametrize('module', ADAPTERS)
def test_the_missing_package_is_named(module, without, detector):
    package, name = ADAPTERS[module]
    adapter = getattr(without(module, package), name)
    with pytest.raises(GLIPError, match=package.replace('_', '.')):
        adapter('red')


def test_a_tool_is_imported_with_its_adapter_alone():
    code = (
        'import sys, glip.adapters; dir(glip.adapters)\n'
        'print(*sorted({name.partition(".")[0] for name in sys.modules}))'
    )
    folder = str(Path(glip.__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, '-c', code],
        env=dict(os.environ, PYTHONPATH=folder),
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'glip' in done.stdout.split()
    assert not {package for package, _ in ADAPTERS.values()} & set(done.stdout.split())
