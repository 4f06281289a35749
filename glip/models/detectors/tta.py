"""Test-time augmentation: one picture seen several ways, with the same prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseTTAModel
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import batched_nms, box_iou

from glip.errors import ConfigError
from glip.registry import MODELS
from glip.runtime.values import check_score

_MERGING = ('nms', 'vote')


@MODELS.register_module()
class DetTTAModel(BaseTTAModel):
    """Merge what a detector finds in resized and flipped views of a picture.

    Name and ``tta_cfg`` are those of mmdet's class. Each view carries the prompt of
    the picture; words such as "left" are not mirrored with it. Weights load and save
    under the detector's own names.

    Args:
        module: The detector, or its config.
        tta_cfg: ``nms``: ``type`` 'nms' (default), or 'vote', in which boxes that
            lose to a better one still move it by their score (the original's
            ``SPECIAL_NMS='vote'``), and ``iou_threshold``; ``max_per_img``; by
            default the detector's own. ``size_ranges``: for each scale of the
            pipeline, in its order, between which roots of areas, in pixels of the
            resized picture, boxes count (the original's ``TEST.RANGES``).
        data_preprocessor: Of the detector, in place of its own.

    Raises:
        ConfigError: A field of ``tta_cfg`` has no meaning.
    """

    def __init__(
        self,
        module: Any,
        tta_cfg: Mapping[str, Any] | None = None,
        data_preprocessor: Any = None,
    ) -> None:
        super().__init__(module, data_preprocessor)
        detector_cfg = (
            getattr(getattr(self.module, 'bbox_head', None), 'test_cfg', None) or {}
        )
        cfg = dict(tta_cfg or {})
        nms = dict(detector_cfg.get('nms') or {'iou_threshold': 0.6}) | dict(
            cfg.get('nms') or {}
        )
        self.merging = nms.get('type', 'nms')
        self.iou_threshold = check_score(nms['iou_threshold'], 'nms.iou_threshold')
        self.max_per_img = int(
            cfg.get('max_per_img', detector_cfg.get('max_per_img', 100))
        )
        self.size_ranges = cfg.get('size_ranges')
        unknown = set(cfg) - {'nms', 'max_per_img', 'size_ranges'}
        if unknown or self.merging not in _MERGING:
            raise ConfigError(
                f'tta_cfg takes nms (type {" or ".join(_MERGING)}), max_per_img and '
                f'size_ranges, not {cfg}'
            )

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Weights of the detector."""
        return self.module.state_dict(*args, **kwargs)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Load weights of the detector."""
        return self.module.load_state_dict(*args, **kwargs)

    def test_step(self, data: Mapping[str, Sequence[Sequence[Any]]]) -> list[Any]:
        """Detect in every view of every picture of a batch.

        Args:
            data: ``inputs`` and ``data_samples``, view after view a batch of each.

        Returns:
            A data sample per picture, the one of its first view, with
            ``pred_instances`` of all views.

        Raises:
            ConfigError: The pipeline gives one view only.
        """
        if any(isinstance(inputs, Tensor) for inputs in data['inputs']):
            raise ConfigError(
                'DetTTAModel needs a pipeline that ends with TestTimeAug, as '
                'tta_pipeline does'
            )
        return super().test_step(data)

    def merge_preds(self, data_samples_list: Sequence[Sequence[Any]]) -> list[Any]:
        """Unite the views of each picture."""
        return [self._merged(views) for views in data_samples_list]

    def _merged(self, views: Sequence[Any]) -> Any:
        boxes, scores, labels = [], [], []
        names: dict[int, str] = {}
        for view, (least, most) in zip(views, self._ranges(len(views)), strict=True):
            instances = view.pred_instances
            names.update(
                zip(instances.labels.tolist(), instances.get('label_names', ()))
            )
            counted = _between(instances.bboxes, view.metainfo, least, most)
            boxes.append(unflipped(instances.bboxes[counted], view.metainfo))
            scores.append(instances.scores[counted])
            labels.append(instances.labels[counted])
        merged = merge_views(
            torch.cat(boxes),
            torch.cat(scores),
            torch.cat(labels),
            iou_threshold=self.iou_threshold,
            max_per_img=self.max_per_img,
            vote=self.merging == 'vote',
        )
        result = InstanceData(**dict(zip(('bboxes', 'scores', 'labels'), merged)))
        if names or not len(result):
            result.label_names = [names[label] for label in result.labels.tolist()]
        views[0].pred_instances = result
        return views[0]

    def _ranges(self, count: int) -> list[tuple[float, float]]:
        """Least and most size of boxes for each view."""
        if not self.size_ranges:
            return [(0.0, float('inf'))] * count
        if count % len(self.size_ranges):
            raise ConfigError(
                f'tta_cfg.size_ranges has {len(self.size_ranges)} ranges for {count} '
                'views: give one for each scale of the pipeline'
            )
        times = count // len(self.size_ranges)
        return [tuple(pair) for pair in self.size_ranges for _ in range(times)]


def merge_views(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    *,
    iou_threshold: float,
    max_per_img: int,
    vote: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Per-class NMS over the detections of all views.

    Args:
        boxes: (N, 4) xyxy, half-open.
        scores: (N,).
        labels: (N,).
        iou_threshold: From which overlap on two boxes are one thing.
        max_per_img: How many are kept; all if not positive.
        vote: Replace each box kept by the mean of those it stands for, weighted by
            score; scores stay.

    Returns:
        Boxes, scores and labels by descending score.
    """
    keep = batched_nms(boxes, scores, labels, iou_threshold)
    if max_per_img > 0:
        keep = keep[:max_per_img]
    kept_boxes = boxes[keep]
    if vote and len(keep):
        same = labels[keep][:, None] == labels[None]
        overlap = (box_iou(kept_boxes, boxes) > iou_threshold) & same
        overlap[torch.arange(len(keep), device=keep.device), keep] = True
        # A box belongs to the best one that it overlaps, which is the first.
        first = overlap & (overlap.cumsum(0) == 1)
        weights = first * scores
        kept_boxes = weights @ boxes / weights.sum(1, keepdim=True).clamp(min=1e-12)
    return kept_boxes, scores[keep], labels[keep]


def unflipped(boxes: Tensor, meta: Mapping[str, Any]) -> Tensor:
    """Boxes in a flipped view as in the picture it was made of.

    Args:
        boxes: (N, 4) in pixels of the original picture, half-open.
        meta: ``img_shape`` and ``scale_factor`` of the view, ``flip`` and
            ``flip_direction``.
    """
    if not meta.get('flip'):
        return boxes
    direction = meta.get('flip_direction') or 'horizontal'
    (height, width), scale = meta['img_shape'][:2], meta['scale_factor']
    x1, y1, x2, y2 = boxes.unbind(1)
    # The detector makes boxes half-open by adding 1 after it has resized them; pixels
    # are mirrored before that.
    if direction in ('horizontal', 'diagonal'):
        last = (width - 1) / scale[0]
        x1, x2 = last - (x2 - 1), last - x1 + 1
    if direction in ('vertical', 'diagonal'):
        last = (height - 1) / scale[1]
        y1, y2 = last - (y2 - 1), last - y1 + 1
    return torch.stack((x1, y1, x2, y2), 1)


def _between(
    boxes: Tensor, meta: Mapping[str, Any], least: float, most: float
) -> Tensor:
    """Which boxes have a root of area between two sizes, in the resized picture."""
    scale = boxes.new_tensor(meta['scale_factor'])
    sides = (boxes[:, 2:] - boxes[:, :2] - 1) * scale + 1
    area = sides[:, 0] * sides[:, 1]
    if least <= 0:
        return area < most**2
    return (area > least**2) & (area < most**2)
