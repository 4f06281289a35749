"""Which config file, and which weights, a name from the zoo stands for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mmengine.config import Config

from glip.checkpoints import zoo
from glip.config.files import read_config
from glip.errors import ConfigError
from glip.paths import config_root

_CHECKPOINT_SUFFIXES = ('.pth', '.pt', '.safetensors', '.bin')


def config_of(name: str | os.PathLike[str]) -> Path:
    """The config file that is meant: a file, or that of a name from the zoo.

    Raises:
        ConfigError: It is neither.
    """
    path = Path(name)
    known = zoo.find(os.fspath(name))
    if path.is_file() or (known is None and path.suffix):
        return path
    if known is None:
        near = zoo.suggest(os.fspath(name))
        hint = f'did you mean {near}?' if near else 'give a file, or a zoo name'
        raise ConfigError(f'{os.fspath(name)}: no such config; {hint}')
    return _zoo_config(known.config)


def training_config_of(name: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """The config that fine-tunes a model.

    Returns:
        The file, and the weights to start from where the file does not name them.

    Raises:
        ConfigError: It is neither a file nor a name from the zoo.
    """
    path = config_of(name)
    known = zoo.find(os.fspath(name))
    if known is None or Path(name).is_file():
        return path, None
    # The published fine-tuned models name the config that they were trained by.
    tuned = zoo.find(f'{known.name}-coco')
    return (path if tuned is None else _zoo_config(tuned.config)), known.name


def weights_of(name: str | os.PathLike[str]) -> str:
    """The weights that belong to a config: those of a name from the zoo.

    Raises:
        ConfigError: It is a file, which has none of its own.
    """
    known = zoo.find(os.fspath(name))
    if known is None or Path(name).is_file():
        raise ConfigError(
            f'{os.fspath(name)} has no weights of its own: name a checkpoint behind it'
        )
    return known.name


def read_named(model: str | os.PathLike[str] | Config) -> tuple[Config, Any]:
    """Config, and the weights that belong to it if it is a name from the zoo.

    Raises:
        ConfigError: It is neither file, nor name, nor config.
    """
    if isinstance(model, Config):
        return model, None
    name = os.fspath(model)
    if name.endswith(_CHECKPOINT_SUFFIXES):
        raise ConfigError(
            f'{name} is a checkpoint; name its config as well (CONFIG --weights '
            f'{name}): a config inside a checkpoint is code and is never run'
        )
    if name.endswith('.py') or Path(name).is_file():
        return read_config(name), None
    entry = zoo.resolve(name)
    return read_config(_zoo_config(entry.config)), entry.name


def _zoo_config(name: str) -> Path:
    path = config_root() / 'glip' / name
    if not path.is_file():
        raise ConfigError(
            f'the config {name} is not in this installation; reinstall glip, or give '
            'a config file of your own'
        )
    return path
