"""Small cross-stage backbone of plain convolutions."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glip.models.module import Module
from glip.registry import MODELS


class LeakyConv(nn.Sequential):
    """3x3 convolution with bias and LeakyReLU 0.1; there is no norm.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride of the convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, stride, 1),
            nn.LeakyReLU(0.1, inplace=True),
        )


class DensePair(nn.Module):
    """Two convolutions in a row whose outputs are concatenated.

    Args:
        channels: Channels of input and output; each convolution gives half of them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = LeakyConv(channels, channels // 2)
        self.second = LeakyConv(channels // 2, channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        return torch.cat((self.second(first), first), 1)


class CSPStage(nn.Module):
    """Cross-stage partial block (arXiv 1911.11929): pairs beside their own input.

    Args:
        channels: Channels of the input; the output has twice as many.
        num_pairs: Number of :class:`DensePair`.
        stride: Stride of the entry convolution.
    """

    def __init__(self, channels: int, num_pairs: int, stride: int) -> None:
        super().__init__()
        self.enter = LeakyConv(channels, channels, stride)
        self.pairs = nn.Sequential(*(DensePair(channels) for _ in range(num_pairs)))
        self.leave = LeakyConv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        return torch.cat((self.leave(self.pairs(x)), x), 1)


@MODELS.register_module()
class CSPNet(Module):
    """Backbone of NanoDet-g (github.com/RangiLyu/nanodet, ``CustomCspNet``).

    Plain 3x3 convolutions only, which every inference engine is fast at. The norms of
    the published weights are folded into them.

    Args:
        stem_channels: Channels of the stem, whose stride is 4.
        num_pairs: :class:`DensePair` of each stage. Stage i gives
            ``stem_channels * 2 ** (i + 1)`` channels.
        out_indices: Stages returned; (1, 2, 3) gives 128, 256 and 512 channels at
            strides 8, 16 and 32.
        frozen: Keep the backbone as it is while the rest trains.
        init_cfg: ``dict(type='Pretrained', checkpoint=..., prefix='backbone')`` starts
            from the weights that ``tools/model_converters/nanodet_to_glip.py`` writes.
    """

    def __init__(
        self,
        *,
        stem_channels: int = 32,
        num_pairs: Sequence[int] = (1, 2, 2, 3),
        out_indices: Sequence[int] = (1, 2, 3),
        frozen: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.out_indices = tuple(out_indices)
        self.stem = LeakyConv(3, stem_channels, 2)
        self.stages = nn.ModuleList(
            CSPStage(stem_channels << i, pairs, stride=2 if i else 1)
            for i, pairs in enumerate(num_pairs[: max(self.out_indices) + 1])
        )
        self.frozen = frozen
        if frozen:
            self.requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Normalised BGR pictures (B, 3, H, W) to maps (B, C, H / s, W / s)."""
        # Convolutions of few channels are up to half as fast again in this layout.
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.max_pool2d(self.stem(x), 3, 2, 1)
        outs = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in self.out_indices:
                outs.append(x)
        return tuple(outs)
