"""What all tasks of a work directory have in common."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from mmengine.config import Config

from glip.errors import ConfigError
from glip.runtime.writing import write_json

_FILE = 'settings.json'


def check_settings(
    work_dir: Path,
    cfg: Config,
    weights: str,
    *,
    val_shots: int | None,
) -> dict[str, Any]:
    """Refuse to mix results that cannot be compared.

    Args:
        work_dir: Where the settings of its first run are kept.
        cfg: Config of all tasks.
        weights: Where all trainings start.
        val_shots: Pictures of each class to validate on.

    Returns:
        The settings.

    Raises:
        ConfigError: The folder holds runs of others, or cannot be written to.
    """
    settings = {
        'config': str(cfg.filename or ''),
        'config_hash': hashlib.sha256(cfg.pretty_text.encode()).hexdigest()[:16],
        'weights': weights,
        'weights_hash': _hash_of_file(weights),
        'val_shots': val_shots,
    }
    path = work_dir / _FILE
    if path.is_file():
        try:
            known = json.loads(path.read_text(encoding='utf-8'))
            others = [k for k, v in settings.items() if known[k] != v]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f'{path} is not what few-shot runs write; name another --work-dir'
            ) from error
        if others := [k for k in others if k not in ('config', 'weights')]:
            what = ', '.join(key.removesuffix('_hash') for key in others)
            raise ConfigError(
                f'{work_dir} holds few-shot runs of another {what}, which cannot stand '
                'in one table with these; name another --work-dir'
            )
        return settings
    write_json(path, settings)
    return settings


def _hash_of_file(weights: str) -> str:
    """Of a file; a name or an address stands for itself."""
    if not os.path.isfile(weights):
        return weights
    with open(weights, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()[:16]
