"""Evaluating an ONNX file in place of weights."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from glip.errors import CheckpointError, ConfigError
from glip.export.sessions import load_onnx
from glip.registry import MODELS

# Options of ``test_cfg`` that are about the network.
_OF_TORCH = ('amp', 'fp16', 'compile', 'prompt')


def exported_model(cfg: Config, model: dict[str, Any]) -> nn.Module:
    """Read the graphs that ``cfg.load_from`` names.

    Args:
        cfg: Of the run.
        model: The model's config.

    Raises:
        ConfigError: The run asks for what graphs cannot do.
        CheckpointError: The file cannot be used, or is of another model.
    """
    test_cfg = cfg.get('test_cfg') or {}
    refused = [name for name in _OF_TORCH if test_cfg.get(name)]
    if 'module' in model:
        refused.append('tta')
    if refused:
        raise ConfigError(
            f'{cfg.load_from}: an ONNX file runs as it is, without {refused[0]}'
        )
    network, exported = load_onnx(cfg.load_from, model.get('test_cfg'))
    ours, theirs = _shapes(exported.model), _shapes(model)
    parts = {name.partition('.')[0] for name in ours}  # without a self-teacher
    names = {name for name in theirs if name.partition('.')[0] in parts} | set(ours)
    differing = sorted(name for name in names if ours.get(name) != theirs.get(name))
    if differing:
        raise CheckpointError(
            f'{cfg.load_from}: exported from another model than that of the config '
            f'({len(differing)} of {len(names)} tensors differ, {differing[0]} first)'
        )
    # By its weights an evaluation that goes on knows the model.
    digest = hashlib.blake2b(Path(cfg.load_from).read_bytes(), digest_size=32).digest()
    network.register_buffer('digest', torch.tensor(list(digest), dtype=torch.uint8))
    return network


def _shapes(model: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors of a model."""
    with torch.device('meta'):
        network = MODELS.build(model)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
