"""What is put in where other packages are imported.

``mmcv._ext`` is served where mmcv was installed without its compiled ops. Every file of
``mmcv.ops`` loads that extension and does the rest in Python. So this one module is all
that has to be replaced: names, classes, registered types and state dicts stay mmcv's
own.

``mmdet.registry`` learns of our classes and mmengine's loader of checkpoints of our
weights (:mod:`glip.drop_in`). ``mmdet.datasets`` keeps standard output for results: a
fork of mmdet prints there what optional package it lacks, and programs read what ours
print.
"""

import contextlib
import importlib
import importlib.abc
import importlib.util
import io
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from glip.compat.late_plots import LatePlotsFinder

_EXTENSION = 'mmcv._ext'
_REGISTRY = 'mmdet.registry'
_CHECKPOINTS = 'mmengine.runner.checkpoint'
_logger = logging.getLogger('glip')


class _StandInLoader(importlib.abc.Loader):
    """Fills the module with functions on torchvision, once it is asked for."""

    def exec_module(self, module: ModuleType) -> None:
        # Late: it needs torch, and prompts alone do not.
        from . import mmcv_ext

        for name in mmcv_ext.FUNCTIONS:
            setattr(module, name, mmcv_ext.FUNCTIONS[name])
        module.__getattr__ = mmcv_ext.missing_function


class _CompiledLoader(importlib.abc.Loader):
    """Loads the compiled extension, or the stand-in if it does not load.

    An extension that was compiled for another torch cannot be loaded.
    """

    def __init__(self, spec: ModuleSpec) -> None:
        self._spec = spec
        self._failed: ImportError | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        try:
            return self._spec.loader.create_module(self._spec)
        except ImportError as error:
            self._failed = error
            return None

    def exec_module(self, module: ModuleType) -> None:
        if self._failed is None:
            try:
                self._spec.loader.exec_module(module)
            except ImportError as error:
                self._failed = error
        if self._failed is not None:
            _logger.warning(
                "mmcv's compiled ops cannot be loaded (%s); torchvision stands in",
                self._failed,
            )
            _StandInLoader().exec_module(module)


@contextlib.contextmanager
def _sharing_registries() -> Iterator[None]:
    yield
    _share_registries()


@contextlib.contextmanager
def _sharing_weights() -> Iterator[None]:
    yield
    _share_weights()


# What stands around the first import of a module.
_AROUND: dict[str, Callable[[], contextlib.AbstractContextManager]] = {
    _REGISTRY: _sharing_registries,
    _CHECKPOINTS: _sharing_weights,
    'mmdet.datasets': lambda: contextlib.redirect_stdout(io.StringIO()),
}


class _LoaderWithin(importlib.abc.Loader):
    """Loads a module within a context."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        with _AROUND[module.__name__]():
            self._loader.exec_module(module)


class _FinderWithin(importlib.abc.MetaPathFinder):
    """Finds what is loaded within a context."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in _AROUND:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _LoaderWithin(spec.loader)
        return spec


class _ExtensionFinder(importlib.abc.MetaPathFinder):
    """Finds ``mmcv._ext``: the compiled one where there is one."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != _EXTENSION:
            return None
        compiled = PathFinder.find_spec(fullname, path, target)
        if compiled is None:
            return ModuleSpec(fullname, _StandInLoader(), origin=__name__)
        return importlib.util.spec_from_file_location(
            fullname, compiled.origin, loader=_CompiledLoader(compiled)
        )


def install() -> None:
    """Make ``mmcv.ops`` importable, and let mmdet and mmengine know of us.

    Both hold whether mmcv and mmdet are imported already or later. What is not there
    yet is not imported now, and a second call does nothing.
    """
    if any(isinstance(finder, _ExtensionFinder) for finder in sys.meta_path):
        return
    sys.meta_path[:0] = [_ExtensionFinder(), LatePlotsFinder(), _FinderWithin()]
    _replace_placeholders()
    if _REGISTRY in sys.modules:
        _share_registries()
    if _CHECKPOINTS in sys.modules:
        _share_weights()


def _replace_placeholders() -> None:
    """Undo what mmdet did if it was imported first and ``mmcv.ops`` failed then.

    Its modules define functions and classes of the same names that only raise.
    """
    modules = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith('mmdet.') and module is not None
    ]
    if not modules or 'mmcv.ops' in sys.modules:
        return
    ops = importlib.import_module('mmcv.ops')
    for module in modules:
        for name in ops.__all__:
            value = vars(module).get(name)
            if getattr(value, '__module__', None) == module.__name__:
                setattr(module, name, getattr(ops, name))


def _share_registries() -> None:
    """See :mod:`glip.drop_in`; by name, as clients of mmdet ask for nothing of ours."""
    importlib.import_module('glip.drop_in')


def _share_weights() -> None:
    """See :mod:`glip.drop_in`."""
    importlib.import_module('glip.drop_in').share_weights()
