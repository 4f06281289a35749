"""Tensor operations that stand alone; nothing here knows about words or configs."""

from .deform_conv import modulated_deform_conv2d
from .gather_deform_conv import gather_deform_conv2d
from .inclusive_boxes import (
    batched_nms_inclusive,
    clip_inclusive,
    decode_inclusive,
    encode_inclusive,
)

__all__ = [
    'batched_nms_inclusive',
    'clip_inclusive',
    'decode_inclusive',
    'encode_inclusive',
    'gather_deform_conv2d',
    'modulated_deform_conv2d',
]
