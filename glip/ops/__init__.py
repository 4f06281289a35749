"""Tensor operations that stand alone; nothing here knows about words or configs."""

from .bi_attention import (
    BiProjections,
    absorbed_bi_attention,
    bi_attention,
    plain_bi_attention,
    takes_absorbed_form,
)
from .deform_conv import modulated_deform_conv2d
from .focal_loss import focal_loss_sum
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
from .plain import is_plain, plain_path
from .recompute import recomputed
from .transfer import to_device

__all__ = [
    'BiProjections',
    'Linear',
    'absorbed_bi_attention',
    'batched_nms_inclusive',
    'clip_inclusive',
    'bi_attention',
    'decode_inclusive',
    'encode_inclusive',
    'focal_loss_sum',
    'gather_deform_conv2d',
    'generalized_iou',
    'iou_inclusive',
    'is_plain',
    'linear',
    'modulated_deform_conv2d',
    'plain_path',
    'plain_bi_attention',
    'recomputed',
    'takes_absorbed_form',
    'to_device',
]
