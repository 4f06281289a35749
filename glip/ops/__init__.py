"""Tensor operations that stand alone; nothing here knows about words or configs.

These are the reference forms; :mod:`glip.ops.cpu` has fast ones of some.
"""

from glip.ops.bi_attention import BiProjections, plain_bi_attention
from glip.ops.deform_conv import modulated_deform_conv2d
from glip.ops.focal_loss import focal_loss_sum
from glip.ops.generalized_iou import generalized_iou
from glip.ops.inclusive_boxes import (
    batched_nms_inclusive,
    clip_inclusive,
    decode_inclusive,
    encode_inclusive,
    half_open,
    iou_inclusive,
)
from glip.ops.nms import batched_nms
from glip.ops.plain import is_plain, plain_path
from glip.ops.recompute import recomputed
from glip.ops.torch_internals import onednn_has_bf16
from glip.ops.transfer import to_device
from glip.ops.windows import shift_mask

__all__ = [
    'BiProjections',
    'batched_nms',
    'batched_nms_inclusive',
    'clip_inclusive',
    'decode_inclusive',
    'encode_inclusive',
    'focal_loss_sum',
    'generalized_iou',
    'half_open',
    'iou_inclusive',
    'is_plain',
    'modulated_deform_conv2d',
    'onednn_has_bf16',
    'plain_bi_attention',
    'plain_path',
    'recomputed',
    'shift_mask',
    'to_device',
]
