"""Where a training is logged besides the work directory: one key of the config."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from glip.errors import ConfigError

# Name: class of mmengine, module it imports, what pip calls that.
_LOGGERS = {
    'tensorboard': ('TensorboardVisBackend', 'tensorboard', 'tensorboard'),
    'wandb': ('WandbVisBackend', 'wandb', 'wandb'),
    'mlflow': ('MLflowVisBackend', 'mlflow', 'mlflow'),
    'clearml': ('ClearMLVisBackend', 'clearml', 'clearml'),
    'neptune': ('NeptuneVisBackend', 'neptune', 'neptune'),
    'dvclive': ('DVCLiveVisBackend', 'dvclive', 'dvclive'),
    'aim': ('AimVisBackend', 'aim', 'aim'),
}


def apply_loggers(cfg: Config) -> None:
    """Add the backends that ``loggers`` names, and see that their packages are there.

    ``loggers`` is a name, a list of names, or ``{name: arguments of its backend}``;
    the backends go behind those of ``visualizer.vis_backends``.

    Args:
        cfg: Changed in place.

    Raises:
        ConfigError: A name is not known, or a backend's package is not installed.
    """
    wanted = dict(_named(cfg.get('loggers') or {}))
    if wanted:
        cfg.setdefault('visualizer', dict(type='DetLocalVisualizer'))
        backends = list(
            cfg.visualizer.get('vis_backends') or [dict(type='LocalVisBackend')]
        )
        there = {_class_name(backend) for backend in backends}
        for name, arguments in wanted.items():
            backend = dict(arguments, type=_LOGGERS[name][0])
            if backend['type'] not in there:
                backends.append(backend)
        cfg.visualizer.vis_backends = backends
    if 'mlflow' in wanted:
        _settle_mlflow(cfg)
    modules = {of_class: rest for of_class, *rest in _LOGGERS.values()}
    for backend in (cfg.get('visualizer') or {}).get('vis_backends') or ():
        module, package = modules.get(_class_name(backend), (None, None))
        if module is not None and importlib.util.find_spec(module) is None:
            raise ConfigError(
                f'{_class_name(backend)} needs a package that is not installed: '
                f'pip install {package}, or leave it out of loggers and of '
                'visualizer.vis_backends'
            )


def _named(loggers: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name, arguments) of each."""
    if isinstance(loggers, str):
        loggers = [loggers]
    if not isinstance(loggers, Mapping):
        if not isinstance(loggers, (list, tuple)):
            raise ConfigError(f'loggers={loggers!r} must be a name or a list of names')
        loggers = {str(name): {} for name in loggers}
    for name, arguments in loggers.items():
        if name not in _LOGGERS:
            raise ConfigError(
                f'loggers: {name!r} is not known; there are {", ".join(_LOGGERS)}'
            )
        if not isinstance(arguments or {}, Mapping):
            raise ConfigError(
                f'loggers.{name}={arguments!r} must be a dict of arguments of '
                f'{_LOGGERS[name][0]}'
            )
        yield name, arguments or {}


def _settle_mlflow(cfg: Config) -> None:
    """Log to the server that MLflow's own variable names, else to the work directory.

    mmengine only knows the latter, which newer MLflow refuses unless told otherwise.
    """
    for backend in cfg.visualizer.vis_backends:
        if _class_name(backend) != 'MLflowVisBackend' or backend.get('tracking_uri'):
            continue
        if server := os.environ.get('MLFLOW_TRACKING_URI'):
            backend['tracking_uri'] = server
        else:
            os.environ.setdefault('MLFLOW_ALLOW_FILE_STORE', 'true')


def _class_name(backend: Any) -> str:
    built = backend.get('type') if isinstance(backend, Mapping) else type(backend)
    name = built if isinstance(built, str) else getattr(built, '__name__', str(built))
    return name.rpartition('.')[2]
