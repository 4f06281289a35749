"""Config files: one in Python is code, one in YAML or JSON is data and runs nothing."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config
from mmengine.fileio import load, register_handler
from mmengine.fileio.handlers import YamlHandler
from mmengine.utils import import_modules_from_strings

from glip.errors import ConfigError
from glip.paths import config_root
from glip.received import kind_of, path_below

_DATA = ('.yaml', '.yml', '.json')
# Packages whose modules a config that is data may have imported, and whose classes it
# may name with their package.
_PACKAGES = ('glip', 'mmdet', 'mmengine', 'mmcv')
_SCOPED_TYPE = re.compile(rf'(?:{"|".join(_PACKAGES)})\.[A-Z]\w*')
_TYPE_KEYS = ('type', 'constructor', 'runner_type')  # what registries look up


@register_handler(['yaml', 'yml'])
class SafeYamlHandler(YamlHandler):
    """mmengine's reading of YAML without the tags that call functions."""

    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        """Plain data only."""
        return yaml.load(file, Loader=yaml.SafeLoader)  # noqa: S506


def read_config(path: str | os.PathLike[str]) -> Config:
    """Read a config file.

    One in Python is code, which is run. One in YAML or JSON is data: it has no tags
    that call something, its ``_base_`` are data as well or configs that come with
    OpenMMLab's packages, its types are names of registered classes, and of modules it
    has only those packages' imported.

    Raises:
        ConfigError: It does not exist or is no config; one of data asks for code.
    """
    name = os.fspath(path)
    if not Path(path).is_file():
        special = kind_of(path) if os.path.exists(path) else None
        what = f'is {special}, not a config' if special else 'no such config'
        raise ConfigError(f'{name}: {what}')
    is_data = name.endswith(_DATA)
    try:
        if is_data:
            _check_bases(Path(path))
        cfg = Config.fromfile(path, import_custom_modules=not is_data)
        if is_data:
            _check_types(cfg, name)
            _import_modules(cfg, name)
    except ConfigError:
        raise
    except FileNotFoundError as error:  # a _base_ of it
        raise ConfigError(f'{name}: {error}') from error
    # A config is code, and may raise anything.
    except Exception as error:  # noqa: BLE001
        raise ConfigError(
            f'{name}: not a usable config ({type(error).__name__}: {error})'
        ) from error
    return cfg


def _check_bases(path: Path, above: tuple[Path, ...] = ()) -> None:
    """A config that is data inherits from data, or from what is installed.

    Raises:
        ConfigError: It does not, or inherits from itself.
    """
    path = path.resolve()
    if path in above:
        raise ConfigError(f'{path}: its _base_ lead back to itself')
    for base in _bases_of(path):
        if not isinstance(base, str):
            raise ConfigError(f'{path}: _base_ is {base!r:.80}, not the name of a file')
        package, _, inner = base.rpartition('::')
        if package in _PACKAGES and path_below(os.sep + package, inner):
            continue
        file = path.parent / base
        if base.endswith(_DATA):
            _check_bases(file, (*above, path))
        elif not file.resolve().is_relative_to(config_root().resolve()):
            raise ConfigError(
                f'{path}: its _base_ {base!r:.80} is code, and a config in YAML or '
                'JSON is data; write the config in Python, if you trust both'
            )


def _bases_of(path: Path) -> list[Any]:
    """What a config inherits from, once its variables are filled in."""
    with tempfile.TemporaryDirectory() as folder:
        filled = str(Path(folder, 'config').with_suffix(path.suffix))
        Config._substitute_predefined_vars(str(path), filled)
        Config._substitute_env_variables(filled, filled)
        Config._pre_substitute_base_vars(filled, filled)
        content = load(filled)
    if not isinstance(content, Mapping):
        raise ConfigError(f'{path}: a config is a mapping of keys to values')
    bases = content.get('_base_', [])
    return bases if isinstance(bases, list) else [bases]


def _check_types(cfg: Config, name: str) -> None:
    """Types are names of registries, never the path of a function to call.

    Raises:
        ConfigError: One is something else.
    """
    for kind in _types(cfg._cfg_dict):
        if isinstance(kind, str) and '.' in kind and not _SCOPED_TYPE.fullmatch(kind):
            raise ConfigError(
                f'{name}: the type {kind!r:.80} is not the name of a registered class, '
                'which a config in YAML or JSON may name; write the config in Python'
            )


def _types(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from (value[key] for key in _TYPE_KEYS if key in value)
        for inner in value.values():
            yield from _types(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _types(inner)


def _import_modules(cfg: Config, name: str) -> None:
    """Import ``custom_imports`` where they are of the packages that are trusted.

    Raises:
        ConfigError: They are not.
    """
    wanted = cfg.get('custom_imports')
    if not wanted:
        return
    modules = wanted.get('imports', []) if isinstance(wanted, Mapping) else wanted
    modules = [modules] if isinstance(modules, str) else modules
    if not isinstance(modules, list) or not all(
        isinstance(module, str) and module.split('.')[0] in _PACKAGES
        for module in modules
    ):
        raise ConfigError(
            f'{name}: custom_imports {modules!r:.80} would run code, and a config in '
            'YAML or JSON is data; write the config in Python, if you trust it'
        )
    import_modules_from_strings(modules)
