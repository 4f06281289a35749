"""Fast forms for the CPU of what :mod:`glip.ops` defines.

:func:`glip.models.cpu.use_cpu_kernels` puts them into a model. Nothing else in
:mod:`glip.models` knows of them.
"""

from glip.ops.cpu.absorbed_attention import absorbed_bi_attention, takes_absorbed_form
from glip.ops.cpu.deform_conv import deform_conv_input, modulated_deform_conv2d
from glip.ops.cpu.feed_forward import FeedForwardWeights, tiled_feed_forward
from glip.ops.cpu.folded_norm import (
    fold_group_norm,
    folding_applies,
    higher_line,
    resampled_mean,
)
from glip.ops.cpu.gather_deform_conv import gather_deform_conv2d
from glip.ops.cpu.linear import Linear, linear
from glip.ops.cpu.packed_product import packing_once
from glip.ops.cpu.tiles import works_in_tiles
from glip.ops.cpu.window_attention import (
    AttentionWeights,
    AttentionWindows,
    tiled_window_attention,
)

__all__ = [
    'AttentionWeights',
    'AttentionWindows',
    'FeedForwardWeights',
    'Linear',
    'absorbed_bi_attention',
    'deform_conv_input',
    'fold_group_norm',
    'folding_applies',
    'gather_deform_conv2d',
    'higher_line',
    'linear',
    'modulated_deform_conv2d',
    'packing_once',
    'resampled_mean',
    'takes_absorbed_form',
    'tiled_feed_forward',
    'tiled_window_attention',
    'works_in_tiles',
]
