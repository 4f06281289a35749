"""torchvision's compiled kernels without its Python.

``import torchvision`` brings all of its models and of torch's compiler, over a second;
what inference on a CPU needs of it is the one kernel of NMS.
"""

import sys
from functools import cache
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

import torch

# Names of the library, in newer and older releases.
_LIBRARIES = ('_C_stable', '_C')


@cache
def load_kernels() -> None:
    """Make ``torch.ops.torchvision`` known.

    Importing torchvision later, or before, changes nothing.
    """
    if 'torchvision' in sys.modules:
        return
    spec = find_spec('torchvision')
    for folder in (spec and spec.submodule_search_locations) or ():
        for name in _LIBRARIES:
            for suffix in (*EXTENSION_SUFFIXES, '.so'):
                library = Path(folder, name + suffix)
                if library.is_file() and _loads(library):
                    return
    import_module('torchvision')


def _loads(library: Path) -> bool:
    try:
        torch.ops.load_library(library)
    except OSError:
        return False
    return hasattr(torch.ops.torchvision, 'nms')
