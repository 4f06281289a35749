"""From pictures of a batch to one tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glip.errors import ConfigError

_BOXED = ('gt_instances', 'pred_instances', 'ignored_instances')


class DetDataPreprocessor(nn.Module):
    """Normalises, pads and stacks pictures, as mmdet's class of this name does.

    Args:
        mean: Of the three channels, or of all; None leaves pixels as they are.
        std: Likewise.
        pad_size_divisor: Height and width are padded to a multiple of it.
        pad_value: What padding is filled with, after normalisation.
        bgr_to_rgb: Turn the channels around, before normalisation.
        rgb_to_bgr: The same.
        boxtype2tensor: Hand on boxes as plain tensors.
        non_blocking: Copy to the device without waiting.

    Raises:
        ConfigError: Mean and std do not belong together.
    """

    mean: Tensor | None
    std: Tensor | None

    def __init__(
        self,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        pad_size_divisor: int = 1,
        pad_value: float = 0,
        bgr_to_rgb: bool = False,
        rgb_to_bgr: bool = False,
        boxtype2tensor: bool = True,
        non_blocking: bool = False,
    ) -> None:
        super().__init__()
        lengths = [0 if values is None else len(values) for values in (mean, std)]
        if lengths not in ([0, 0], [1, 1], [3, 3], [1, 3], [3, 1]):
            raise ConfigError(
                'data_preprocessor: mean and std are both None, or have one number or '
                f'one for each of three channels, not {mean} and {std}'
            )
        if bgr_to_rgb and rgb_to_bgr:
            raise ConfigError(
                'data_preprocessor: bgr_to_rgb and rgb_to_bgr would undo each other'
            )
        for name, values in (('mean', mean), ('std', std)):
            column = None if values is None else torch.tensor(values).view(-1, 1, 1)
            self.register_buffer(name, column, persistent=False)
        self.register_buffer('_place', torch.empty(0), persistent=False)
        self.turns_channels = bgr_to_rgb or rgb_to_bgr
        self.pad_size_divisor, self.pad_value = pad_size_divisor, pad_value
        self.boxtype2tensor, self.non_blocking = boxtype2tensor, non_blocking

    @property
    def device(self) -> torch.device:
        """Where pictures are computed on."""
        return self.get_buffer('_place').device

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepare a batch.

        Args:
            data: ``inputs``, pictures (3, H, W) of any sizes or one tensor
                (B, 3, H, W), and ``data_samples``, a list or None.
            training: Unused; other preprocessors augment then.

        Returns:
            ``inputs`` (B, 3, H, W) float on the device, and the data samples with
            ``batch_input_shape`` and ``pad_shape``, the padded size of each alone.
        """
        pictures = [
            self._normalised(picture.to(self.device, non_blocking=self.non_blocking))
            for picture in data['inputs']
        ]
        shapes = [tuple(map(self._padded, picture.shape[1:])) for picture in pictures]
        height, width = (max(sides) for sides in zip(*shapes, strict=True))
        inputs = torch.stack(
            [
                F.pad(
                    picture,
                    (0, width - picture.shape[2], 0, height - picture.shape[1]),
                    value=self.pad_value,
                )
                for picture in pictures
            ]
        )
        samples = data.get('data_samples')
        if samples is not None:
            samples = [
                sample.to(self.device, non_blocking=self.non_blocking)
                for sample in samples
            ]
            for sample, shape in zip(samples, shapes, strict=False):
                sample.set_metainfo(
                    dict(batch_input_shape=(height, width), pad_shape=shape)
                )
                if self.boxtype2tensor:
                    _unbox(sample)
        return dict(inputs=inputs, data_samples=samples)

    def _normalised(self, picture: Tensor) -> Tensor:
        if self.turns_channels:
            picture = picture[[2, 1, 0]]
        picture = picture.float()
        if self.mean is None or self.std is None:
            return picture
        return (picture - self.mean) / self.std

    def _padded(self, side: int) -> int:
        return math.ceil(side / self.pad_size_divisor) * self.pad_size_divisor


def _unbox(sample: Any) -> None:
    for name in _BOXED:
        instances = sample.get(name)
        boxes = None if instances is None else instances.get('bboxes')
        if boxes is not None and not isinstance(boxes, Tensor):
            instances.bboxes = boxes.tensor  # of mmdet's BaseBoxes
