"""Anchors of pyramid levels, with corners as the original counts them."""

from collections.abc import Sequence

import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from torch import Tensor


def inclusive_anchors(
    generator: AnchorGenerator,
    sizes: Sequence[tuple[int, int]],
    device: torch.device,
) -> list[Tensor]:
    """Anchors whose last pixel is part of them.

    Args:
        generator: mmdet's, which counts corners half-open; its base anchors are moved
            to the device.
        sizes: Height and width of each level.
        device: Where the anchors are needed.

    Returns:
        Float32 boxes (H*W, 4) of each level, xyxy.
    """
    # The generator copies these from the host each time unless they are there.
    generator.base_anchors = [base.to(device) for base in generator.base_anchors]
    priors = generator.grid_priors(sizes, dtype=torch.float32, device=device)
    return [torch.cat((p[:, :2], p[:, 2:] - 1), 1) for p in priors]
