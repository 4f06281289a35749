"""Figures of the original implementation; ``data/official/README.md`` has the keys."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

FOLDER = Path(__file__).parent / 'data' / 'official'


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location('fill', FOLDER / 'fill.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fill = _script()


def figures(name: str) -> Any:
    """Content of a JSON file."""
    return json.loads((FOLDER / f'{name}.json').read_text())


def arrays(name: str) -> dict[str, np.ndarray]:
    """Arrays of an npz file."""
    with np.load(FOLDER / f'{name}.npz') as file:
        return dict(file)


def unit(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Input of a recorded operation before scaling, mean 0 and variance 1, float64."""
    return fill.unit(f'op.{name}', shape)


def parameters(variant: str) -> dict[str, torch.Tensor]:
    """Parameters of a recorded model by their original names."""
    return {
        name: fill.fill(name, entry['shape'])
        for name, entry in figures('meta')[variant]['state_dict'].items()
        if not fill.is_constant(name)
    }
