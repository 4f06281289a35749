"""Tensor operations that stand alone; nothing here knows about words or configs."""

from .deform_conv import modulated_deform_conv2d
from .focal_loss import focal_loss_sum
from .folded_norm import (
    fold_group_norm,
    folding_applies,
    higher_line,
    resampled_mean,
)
from .gather_deform_conv import gather_deform_conv2d
from .generalized_iou import generalized_iou
from .inclusive_boxes import (
    batched_nms_inclusive,
    clip_inclusive,
    decode_inclusive,
    encode_inclusive,
    iou_inclusive,
)
from .linear import Linear, linear
from .packed_product import packing_once
from .plain import is_plain, plain_path
from .transfer import to_device

__all__ = [
    'Linear',
    'batched_nms_inclusive',
    'clip_inclusive',
    'decode_inclusive',
    'encode_inclusive',
    'focal_loss_sum',
    'fold_group_norm',
    'folding_applies',
    'gather_deform_conv2d',
    'generalized_iou',
    'higher_line',
    'iou_inclusive',
    'is_plain',
    'linear',
    'modulated_deform_conv2d',
    'packing_once',
    'plain_path',
    'resampled_mean',
    'to_device',
]
