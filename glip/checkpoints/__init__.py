"""Weights of any layout, from a file, a name or an address, into a model."""

from . import zoo
from .layouts import detect, to_mmdet
from .load import find_file, fit, load_into, load_state_dict, read_checkpoint
from .save import save_state_dict
from .zoo import ZooEntry

__all__ = [
    'ZooEntry',
    'detect',
    'find_file',
    'fit',
    'load_into',
    'load_state_dict',
    'read_checkpoint',
    'save_state_dict',
    'to_mmdet',
    'zoo',
]
