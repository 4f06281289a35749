"""Multi-scale deformable attention (arXiv 2010.04159) on the GPU.

mmcv has a form in plain PyTorch, which it uses on the CPU; it is good for any device.
"""

from torch import Tensor

from .common import gradients


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Sum of values sampled at given places.

    Args:
        value: Shape (B, keys, heads, channels).
        value_spatial_shapes: (height, width) of each level, shape (L, 2).
        value_level_start_index: Unused, follows from the sizes.
        sampling_locations: (x, y) in 0..1, shape (B, queries, heads, L, points, 2).
        attention_weights: Shape (B, queries, heads, L, points).
        im2col_step: Unused.

    Returns:
        Shape (B, queries, heads * channels).
    """
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return multi_scale_deformable_attn_pytorch(
        value, value_spatial_shapes, sampling_locations, attention_weights
    )


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Write all gradients; see :func:`ms_deform_attn_forward`."""

    def attend(value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
        return ms_deform_attn_forward(
            value,
            value_spatial_shapes,
            value_level_start_index,
            locations,
            weights,
            im2col_step,
        )

    inputs = [value, sampling_locations, attention_weights]
    found = gradients(attend, inputs, grad_output)
    for target, gradient in zip(
        (grad_value, grad_sampling_loc, grad_attn_weight), found, strict=True
    ):
        target.copy_(gradient)
