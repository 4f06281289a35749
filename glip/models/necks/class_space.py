"""From the features of a closed detector to a pyramid that words can read."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glip.models.module import Module
from glip.registry import MODELS

# Scale of deltas and of distance logits in the pyramid, so that all of its channels are
# of about the same size.
DELTA_SCALE = 0.1
_LOGIT_SCALE = 0.2


def distances_of(logits: Tensor, stride: int) -> Tensor:
    """Distances from a position to the sides of its box (arXiv 2006.04388, eq. 5).

    Args:
        logits: Distribution over ``num_bins`` distances of 0, 1, ... strides for left,
            top, right and bottom, shape (B, 4 * num_bins, H, W).
        stride: Pixels per position.

    Returns:
        Expected distances in pixels, shape (B, 4, H, W).
    """
    probabilities = logits.unflatten(1, (4, -1)).softmax(2)
    bins = torch.arange(
        probabilities.shape[2], device=logits.device, dtype=logits.dtype
    )
    return torch.einsum('bsnhw,n->bshw', probabilities, bins) * stride


def inclusive_deltas(
    distances: Tensor, stride: int, anchor_size: int, stds: Sequence[float]
) -> Tensor:
    """Distances (B, 4, H, W) as GLIP's deltas to the anchor of each position.

    GLIP's boxes are inclusive, and its anchors are centred half a pixel before the
    centre of the position.

    Args:
        distances: Left, top, right, bottom, in pixels.
        stride: Pixels per position.
        anchor_size: Side of the square anchor in strides.
        stds: Of the box coder, for x, y, width and height.

    Returns:
        Shape (B, 4, H, W).
    """
    low, high = distances.chunk(2, 1)
    size = (low + high).clamp(min=1)
    anchor = anchor_size * stride
    shift = (high - low) / (2 * anchor)
    weights = distances.new_tensor(stds).reshape(4, 1, 1).reciprocal()
    return torch.cat((shift, (size / anchor).log()), 1) * weights


@MODELS.register_module()
class ClassSpaceNeck(Module):
    """Pyramid in which a closed detector's classes are vectors.

    Behind a feature pyramid stand the last layers of a detector with a fixed list of
    classes, but instead of class logits they give the coordinates of the *class space*:
    the product of a level with the vector of a class is the logit of that class, on all
    levels alike (:mod:`glip.teach.closed_form` finds both). Words have only to be
    mapped to such vectors. The channels are ``num_classes`` coordinates, 4 box deltas,
    and the logits of the distance distributions for the layers that follow.

    Args:
        neck: Feature pyramid.
        in_channels: Channels of its levels.
        num_classes: Classes of the detector, the dimensions of its class space.
        num_bins: Bins of the distribution of each side's distance.
        strides: Pixels per position of each level.
        anchor_size: Side of an anchor in strides, the anchor generator's
            ``octave_base_scale``.
        target_stds: The box coder's.
        frozen: Keep the projections (not the inner neck) while the rest trains.
        init_cfg: mmengine's.
    """

    def __init__(
        self,
        *,
        neck: dict,
        in_channels: int = 128,
        num_classes: int = 80,
        num_bins: int = 11,
        strides: Sequence[int] = (8, 16, 32),
        anchor_size: int = 8,
        target_stds: Sequence[float] = (0.1, 0.1, 0.2, 0.2),
        frozen: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.neck = MODELS.build(neck)
        # Not `num_classes`: mmdet's NumClassCheckHook would compare it with the data.
        self.space_dims, self.num_bins = num_classes, num_bins
        self.strides, self.anchor_size = tuple(strides), anchor_size
        self.target_stds = tuple(target_stds)
        self.project = nn.ModuleList(
            nn.Conv2d(in_channels, num_classes + 4 * num_bins, 1) for _ in self.strides
        )
        if frozen:
            self.project.requires_grad_(False)

    @property
    def out_channels(self) -> int:
        """Channels of every level."""
        return self.space_dims + 4 + 4 * self.num_bins

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps of the backbone to levels (B, out_channels, H, W).

        Under autocast in float32: they are scores and boxes already.
        """
        device = maps[0].device.type
        if torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                return self.forward([x.float() for x in maps])
        levels = self.neck(maps)
        return tuple(
            self._level(conv(x), stride)
            for conv, x, stride in zip(self.project, levels, self.strides, strict=True)
        )

    def _level(self, x: Tensor, stride: int) -> Tensor:
        coordinates, logits = x.split((self.space_dims, 4 * self.num_bins), 1)
        deltas = inclusive_deltas(
            distances_of(logits.float(), stride),
            stride,
            self.anchor_size,
            self.target_stds,
        )
        parts = (coordinates, deltas.to(x.dtype) * DELTA_SCALE, logits * _LOGIT_SCALE)
        return torch.cat(parts, 1)
