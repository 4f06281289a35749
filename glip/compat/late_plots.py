"""Import of mmdet's models without matplotlib.

Two of mmdet's modules import it on their first lines, for drawings of tracks and lanes
that a grounding model never asks for, and every model's import pays for that.
"""

import builtins
import importlib.util
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

_DRAWING = (
    'mmdet.utils.mot_error_visualize',
    'mmdet.models.dense_heads.clr_head.clr_head',
)


class _Late:
    """Name of matplotlib, or of something in it, that is looked up when used."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __getattr__(self, name: str) -> '_Late':
        return _Late(f'{self._path}.{name}')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return pkgutil.resolve_name(self._path)(*args, **kwargs)

    def __setitem__(self, key: str, value: Any) -> None:
        pkgutil.resolve_name(self._path)[key] = value


def _import(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] = (),
    level: int = 0,
) -> Any:
    """``__import__`` that puts matplotlib off."""
    if level == 0 and name.partition('.')[0] == 'matplotlib':
        return _Late(name if fromlist else 'matplotlib')
    return builtins.__import__(name, globals, locals, fromlist, level)


class _LateLoader(SourceFileLoader):
    """Runs a module whose import statements are :func:`_import`'s."""

    def exec_module(self, module: ModuleType) -> None:
        vars(module)['__builtins__'] = {**vars(builtins), '__import__': _import}
        super().exec_module(module)


class LatePlotsFinder(MetaPathFinder):
    """Finds the modules that draw, as long as nothing else needed matplotlib."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Spec of one of the modules that draw; None of all others."""
        if fullname not in _DRAWING or 'matplotlib' in sys.modules:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return spec
        return importlib.util.spec_from_file_location(
            fullname, spec.origin, loader=_LateLoader(fullname, spec.origin)
        )
