"""FPN that drops blocks of its inputs while it trains."""

import torch
import torch.nn.functional as F
from torch import Tensor

from glip.models.necks.fpn import FPN
from glip.registry import MODELS


def drop_block(x: Tensor, probability: float, size: int) -> Tensor:
    """Zero random squares of a map, the same in all channels (arXiv 1810.12890).

    Args:
        x: Shape (B, C, H, W).
        probability: Expected share of dropped positions.
        size: Side of a square in positions.

    Returns:
        The map, scaled so that its expected sum is unchanged.
    """
    seeds = torch.rand(x.shape[0], 1, *x.shape[2:], device=x.device)
    seeds = (seeds < probability / size**2).to(x.dtype)
    keep = 1 - F.max_pool2d(seeds, size, stride=1, padding=size // 2)
    keep = keep[..., : x.shape[2], : x.shape[3]]
    return x * keep * (keep.numel() / keep.sum().clamp(min=1))


def _at_least_two(module, inputs):
    """Give a map of one position a margin of zeros, which changes no result.

    Of a convolution with stride 2 over a single position oneDNN leaves most of the
    weight's gradient unset in bfloat16 (seen with torch 2.14.1).
    """
    height, width = inputs[0].shape[2:]
    if min(height, width) > 1:
        return None
    margin = (0, int(width == 1), 0, int(height == 1))
    return (F.pad(inputs[0], margin), *inputs[1:])


@MODELS.register_module()
class FPN_DropBlock(FPN):  # noqa: N801 (the name mmdet's configs use)
    """FPN with DropBlock on every merged map but the top one in training.

    The dropped map feeds the output convolution only; the top-down path carries the
    whole one (the original's FPN, ``modeling/backbone/fpn.py``).

    Args:
        drop_prob: Share of positions dropped.
        block_size: Side of a dropped square in positions.
        init_cfg: mmengine's; by default uniform by the fan-in, as the original's.
        kwargs: Those of :class:`FPN`.
    """

    def __init__(
        self,
        *args,
        drop_prob: float = 0.3,
        block_size: int = 3,
        init_cfg: dict | None = None,
        **kwargs,
    ) -> None:
        init_cfg = init_cfg or dict(type='Caffe2Xavier', layer='Conv2d')
        super().__init__(*args, init_cfg=init_cfg, **kwargs)
        self.drop_prob, self.block_size = drop_prob, block_size
        for conv in self.fpn_convs[: len(self.lateral_convs) - 1]:
            conv.register_forward_pre_hook(self._drop)
        for conv in self.fpn_convs[len(self.lateral_convs) :]:
            conv.register_forward_pre_hook(_at_least_two)

    def _drop(self, module, inputs):
        if not self.training or self.drop_prob == 0:
            return None
        return (drop_block(inputs[0], self.drop_prob, self.block_size), *inputs[1:])
