"""Weights of any layout, from a file, a name or an address, into a model."""

from glip.checkpoints import zoo
from glip.checkpoints.layouts import detect, to_mmdet
from glip.checkpoints.load import (
    admit_prompt,
    find_file,
    fit,
    load_into,
    load_state_dict,
    read_checkpoint,
)
from glip.checkpoints.save import save_state_dict
from glip.checkpoints.tuned import add_tuned_weights, load_prompt, load_tuned
from glip.checkpoints.zoo import ZooEntry

__all__ = [
    'ZooEntry',
    'add_tuned_weights',
    'admit_prompt',
    'detect',
    'find_file',
    'fit',
    'load_into',
    'load_prompt',
    'load_state_dict',
    'load_tuned',
    'read_checkpoint',
    'save_state_dict',
    'to_mmdet',
    'zoo',
]
