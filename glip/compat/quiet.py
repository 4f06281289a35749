"""Keep mmdet from printing on import.

It notes at debug level that its adapters for a product named OneDL are left out, but to
no logger, and then mmengine prints whatever the level: between our results.
"""

import contextlib
import importlib.abc
import io
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_NOISY = ('mmdet.datasets', 'mmdet.datasets.transforms')
_NOISE = 'Could not import OneDL'


class _QuietFinder(importlib.abc.MetaPathFinder):
    """Finds the noisy modules as usual and loads them without the note."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in _NOISY:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_quietly(module: ModuleType) -> None:
            said = io.StringIO()
            try:
                with contextlib.redirect_stdout(said):
                    load(module)
            finally:
                for line in said.getvalue().splitlines(keepends=True):
                    if not line.startswith(_NOISE):
                        sys.stdout.write(line)

        spec.loader.exec_module = load_quietly
        return spec


def install() -> None:
    """Do so from now on; a second call does nothing."""
    if not any(isinstance(finder, _QuietFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _QuietFinder())
