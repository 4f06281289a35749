"""Boxes that count less than others in the loss, such as those of an unsure teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import LoadAnnotations as _MMDetLoadAnnotations
from mmdet.structures.bbox import HorizontalBoxes, register_box
from torch import Tensor

from glip.errors import ConfigError
from glip.registry import TRANSFORMS
from glip.transforms.formatting import is_weighted


@register_box('glip_weighted', force=True)
class WeightedBoxes(HorizontalBoxes):
    """Boxes with a weight each, which goes where its box goes.

    Transforms choose among boxes and know nothing of weights, so the two are one thing.

    Args:
        data: (N, 4) corners.
        *args: Those of mmdet's ``HorizontalBoxes``.
        weights: (N,), by default 1 each.
        **kwargs: As ``*args``.
    """

    def __init__(self, data: Any, *args: Any, weights: Any = None, **kwargs: Any):
        super().__init__(data, *args, **kwargs)
        if weights is None:
            weights = self.tensor.new_ones(self.tensor.shape[:-1])
        self.weights = torch.as_tensor(weights, dtype=torch.float32)

    def __getitem__(self, index: Any) -> WeightedBoxes:
        if isinstance(index, np.ndarray):
            index = torch.as_tensor(index, device=self.device)
        boxes = super().__getitem__(index)
        boxes.weights = self.weights[index].reshape(boxes.tensor.shape[:-1])
        return boxes

    def __deepcopy__(self, memo: dict[int, Any]) -> WeightedBoxes:
        other = super().__deepcopy__(memo)
        other.weights = self.weights.clone()
        return other

    def clone(self) -> WeightedBoxes:
        """A copy."""
        return WeightedBoxes(self.tensor, weights=self.weights.clone())

    @classmethod
    def cat(cls, box_list: Sequence[HorizontalBoxes], dim: int = 0) -> WeightedBoxes:
        """Boxes of several pictures as those of one."""
        weights = [weights_of(boxes) for boxes in box_list]
        boxes = torch.cat([boxes.tensor for boxes in box_list], dim)
        return cls(boxes, weights=torch.cat(weights), clone=False)


def weights_of(boxes: HorizontalBoxes) -> Tensor:
    """Weight of each box, (N,)."""
    if isinstance(boxes, WeightedBoxes):
        return boxes.weights
    return torch.ones(len(boxes))


@TRANSFORMS.register_module()
class LoadAnnotations(_MMDetLoadAnnotations):
    """mmdet's, which also takes the ``weight`` of instances that have one."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add ``gt_bboxes``, ``gt_bboxes_labels`` and ``gt_ignore_flags``.

        Raises:
            ConfigError: Boxes of another type cannot be weighted.
        """
        results = super().transform(results)
        if self.with_bbox and is_weighted(results):
            boxes = results['gt_bboxes']
            if not isinstance(boxes, HorizontalBoxes):
                raise ConfigError(
                    "weigh_by_score needs LoadAnnotations(box_type='hbox'), which is "
                    'the default'
                )
            weights = [one.get('weight', 1.0) for one in results['instances']]
            results['gt_bboxes'] = WeightedBoxes(boxes.tensor, weights=weights)
        return results


@TRANSFORMS.register_module()
class GTBoxSubOne_GLIP(BaseTransform):  # noqa: N801 (mmdet's name)
    """From ends that are exclusive to the last pixel, as the original has it."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Take 1 from x2 and y2 of ``gt_bboxes``, in place."""
        if 'gt_bboxes' in results:
            boxes = results['gt_bboxes']
            getattr(boxes, 'tensor', boxes)[:, 2:] -= 1
        return results
