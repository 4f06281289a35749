"""Tensor operations that stand alone; nothing here knows about words or configs."""

from .bi_attention import (
    BiProjections,
    absorbed_bi_attention,
    bi_attention,
    plain_bi_attention,
    takes_absorbed_form,
)
from .deform_conv import deform_conv_input, modulated_deform_conv2d
from .feed_forward import FeedForwardWeights, tiled_feed_forward
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
from .linear import Linear, linear, onednn_has_bf16
from .packed_product import packing_once
from .plain import is_plain, plain_path
from .recompute import recomputed
from .tiles import works_in_tiles
from .transfer import to_device
from .window_attention import (
    AttentionWeights,
    AttentionWindows,
    tiled_window_attention,
)
from .windows import shift_mask

__all__ = [
    'AttentionWeights',
    'AttentionWindows',
    'BiProjections',
    'FeedForwardWeights',
    'Linear',
    'absorbed_bi_attention',
    'batched_nms_inclusive',
    'bi_attention',
    'clip_inclusive',
    'decode_inclusive',
    'deform_conv_input',
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
    'onednn_has_bf16',
    'packing_once',
    'plain_bi_attention',
    'plain_path',
    'recomputed',
    'resampled_mean',
    'shift_mask',
    'takes_absorbed_form',
    'tiled_feed_forward',
    'tiled_window_attention',
    'to_device',
    'works_in_tiles',
]
