"""mmcv.ops without its compiled extension: importable, and served by torchvision."""

import importlib
import importlib.machinery
import sys
import types


def _missing(name):
    def call(*args, **kwargs):
        raise NotImplementedError(
            f'mmcv was installed without its compiled op {name!r}, and torchvision '
            'has none to stand in'
        )

    return call


def install() -> None:
    """Make ``mmcv.ops`` importable; a compiled mmcv is left alone."""
    try:
        importlib.import_module('mmcv._ext')
    except ImportError:
        stand_in = types.ModuleType('mmcv._ext')
        stand_in.__spec__ = importlib.machinery.ModuleSpec('mmcv._ext', None)

        def attribute(name):
            if name.startswith('__'):
                raise AttributeError(name)
            return _missing(name)

        stand_in.__getattr__ = attribute
        sys.modules['mmcv._ext'] = stand_in
