"""Tensor operations that stand alone; nothing here knows about words or configs."""

from glip.ops.bi_attention import (
    BiProjections,
    absorbed_bi_attention,
    plain_bi_attention,
    takes_absorbed_form,
)
from glip.ops.cpu.feed_forward import FeedForwardWeights, tiled_feed_forward
from glip.ops.cpu.folded_norm import (
    fold_group_norm,
    folding_applies,
    higher_line,
    resampled_mean,
)
from glip.ops.cpu.gather_deform_conv import gather_deform_conv2d
from glip.ops.cpu.packed_product import packing_once
from glip.ops.cpu.tiles import works_in_tiles
from glip.ops.cpu.window_attention import (
    AttentionWeights,
    AttentionWindows,
    tiled_window_attention,
)
from glip.ops.deform_conv import deform_conv_input, modulated_deform_conv2d
from glip.ops.focal_loss import focal_loss_sum
from glip.ops.generalized_iou import generalized_iou
from glip.ops.inclusive_boxes import (
    batched_nms_inclusive,
    clip_inclusive,
    decode_inclusive,
    encode_inclusive,
    iou_inclusive,
)
from glip.ops.linear import Linear, linear
from glip.ops.nms import batched_nms
from glip.ops.plain import is_plain, plain_path
from glip.ops.recompute import recomputed
from glip.ops.torch_internals import onednn_has_bf16
from glip.ops.transfer import to_device
from glip.ops.windows import shift_mask

__all__ = [
    'AttentionWeights',
    'AttentionWindows',
    'BiProjections',
    'FeedForwardWeights',
    'Linear',
    'absorbed_bi_attention',
    'batched_nms',
    'batched_nms_inclusive',
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
