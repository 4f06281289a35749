"""The demo script as a module, and the stand-in model that it runs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

_TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_TESTS / 'test_apis'))  # standin.py


@pytest.fixture(scope='session')
def image_demo() -> ModuleType:
    """demo/image_demo.py, imported."""
    path = _TESTS.parent / 'demo' / 'image_demo.py'
    spec = importlib.util.spec_from_file_location('image_demo', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def standin_files(tmp_path_factory) -> tuple[str, str]:
    """Config and checkpoint of the stand-in model."""
    from standin import write_standin

    return write_standin(tmp_path_factory.mktemp('model'))
