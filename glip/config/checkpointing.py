"""One switch for the activation checkpointing of all parts of a model."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from glip.errors import ConfigError
from glip.registry import MODELS

# Parts of the model whose blocks can be computed again in the backward pass, and the
# fields that may say so.
CHECKPOINTED_PARTS = ('backbone', 'language_model', 'bbox_head')
CHECKPOINT_FIELDS = ('with_cp', 'use_checkpoint')


def apply_use_checkpoint(cfg: Config) -> None:
    """Turn activation checkpointing of all parts on or off where the config says so.

    ``use_checkpoint = True`` beside ``model`` sets ``with_cp`` or ``use_checkpoint`` of
    the backbone, the language model and the head. Without it the model's own fields
    stand.

    Args:
        cfg: Changed in place.

    Raises:
        ConfigError: No part of the model can be checkpointed.
    """
    wanted = cfg.get('use_checkpoint')
    if wanted is None or not cfg.get('model'):
        return
    done = []
    for name in CHECKPOINTED_PARTS:
        part = cfg.model.get(name)
        if part and (field := _checkpoint_field(part)):
            part[field] = bool(wanted)
            done.append(name)
    if wanted and not done:
        raise ConfigError(
            'use_checkpoint: no part of this model can recompute its activations'
        )


def _checkpoint_field(part: Mapping[str, Any]) -> str | None:
    """The argument of a part that turns checkpointing on."""
    built = part.get('type')
    if isinstance(built, str):
        with MODELS.switch_scope_and_registry('glip') as registry:
            built = registry.get(built)
    if built is None:
        return None  # building it will say what is wrong
    known = inspect.signature(built).parameters
    return next((field for field in CHECKPOINT_FIELDS if field in known), None)
