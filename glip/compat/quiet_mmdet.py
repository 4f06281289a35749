"""Keep one line of mmdet off standard output, which may be read by a machine.

mmdet's fork by OneDL reports at import that a package of that company is missing. It
does so at level DEBUG but names no logger, and then ``print_log`` prints.
"""

import importlib
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

_PACKAGE = 'mmdet.datasets'  # transforms, which reports as well, are inside
_NOTICE = 'Could not import OneDL. Skipping OneDL datasets.'
_logger = logging.getLogger('glip')


class _QuietLoader(SourceFileLoader):
    """Executes the package while the line goes to the debug log."""

    def exec_module(self, module: ModuleType) -> None:
        with _notice_as_debug_output():
            super().exec_module(module)


class _QuietFinder(MetaPathFinder):
    """Finds the package as ever, wherever and whenever it is imported first."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != _PACKAGE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _QuietLoader(spec.loader.name, spec.loader.path)
        return spec


def install() -> None:
    """Import mmdet without the line from now on; a second call does nothing."""
    if not any(isinstance(finder, _QuietFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _QuietFinder())


@contextmanager
def _notice_as_debug_output() -> Iterator[None]:
    # In this one module and for this long, `print` is ours. Replacing sys.stdout would
    # be kept by any log handler that is made meanwhile.
    names = vars(importlib.import_module('mmengine.logging.logger'))

    def quiet_print(*values: object, **options: object) -> None:
        if values == (_NOTICE,):
            _logger.debug(_NOTICE)
        else:
            print(*values, **options)  # noqa: T201

    names['print'] = quiet_print
    try:
        yield
    finally:
        del names['print']
