"""Unknown types and arguments of a config, reported when they are built."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import Registry

from glip.errors import ConfigError, GLIPError

_UNKNOWN_ARGUMENT = re.compile(
    r"(?P<type>\w+)\.__init__\(\) got an unexpected keyword argument '(?P<name>\w+)'"
)


@contextmanager
def build_errors_explained(cfg: Config) -> Iterator[None]:
    """Turn what goes wrong in building into one line.

    Only for code that builds: what a training raises is no mistake of the config.
    Memory that does not suffice is neither.

    Args:
        cfg: The config, which the line names.

    Raises:
        ConfigError: A registry does not know a type, a type not an argument, or an
            argument has no meaning.
    """
    try:
        yield
    except (GLIPError, MemoryError, torch.OutOfMemoryError):
        raise
    # Constructors given wrong values raise anything.
    except Exception as error:  # noqa: BLE001
        raise _explained(error, cfg) from error


def _explained(error: Exception, cfg: Config) -> ConfigError:
    message = str(error.args[0]) if error.args else ''
    if isinstance(error, KeyError) and ' is not in ' in message:
        return _unknown_type(cfg, message.split(' is not in ')[0])
    unknown = _UNKNOWN_ARGUMENT.match(str(error))
    if isinstance(error, TypeError) and unknown is not None:
        return ConfigError(
            f'{_source(cfg)}: {unknown["type"]} takes no argument {unknown["name"]!r}; '
            'leave it out; where a _base_ sets it for another type, put _delete_=True '
            'into the dict that names the new type'
        )
    return ConfigError(
        f'{_source(cfg)} cannot be built: {type(error).__name__}: {error}'
    )


def require_known(registry: Registry, kind: Any, cfg: Config) -> None:
    """Check a type that mmengine looks up without checking.

    Raises:
        ConfigError: It is a name that the registry does not know.
    """
    if isinstance(kind, str) and registry.get(kind) is None:
        raise _unknown_type(cfg, kind)


def explained(build: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method of what has a ``cfg`` build as :func:`build_errors_explained`."""

    @wraps(build)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        with build_errors_explained(self.cfg):
            return build(self, *args, **kwargs)

    return wrapper


def _unknown_type(cfg: Config, name: str) -> ConfigError:
    return ConfigError(
        f'{_source(cfg)} names the type {name!r}, which is not known; check the '
        'spelling, or import it with custom_imports'
    )


def _source(cfg: Config) -> str:
    return cfg.filename or 'the config'
