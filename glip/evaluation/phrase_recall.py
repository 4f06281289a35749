"""Phrase grounding recall: is one of the best boxes for a phrase on what it means?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from torch import Tensor
from torchvision.ops import box_iou

from glip.errors import ConfigError
from glip.registry import METRICS


@METRICS.register_module()
class Flickr30kMetric(BaseMetric):
    """Recall@k over the phrases of captions (GLIP paper section 4.2, table 4).

    A phrase counts as found at k if one of its k best boxes overlaps one of its true
    boxes enough. Name, arguments and protocol are those of mmdet's metric; unlike
    there, pictures may be evaluated in batches, and a phrase without any detection
    is one that was not found.

    Args:
        topk: The k of recall@k; -1 stands for all boxes, the upper bound.
        iou_thrs: Overlap from which on a box is on the thing.
        merge_boxes: Unite all true boxes of a phrase into one that encloses them
            (the "merged boxes" protocol of MDETR) instead of accepting any of them.
        collect_device: Where results of several processes are gathered.
        prefix: Goes before the names of the results, ``R@1`` and so on in percent.

    Raises:
        ConfigError: An argument has no meaning.
    """

    default_prefix = 'flickr30k'

    def __init__(
        self,
        topk: Sequence[int] = (1, 5, 10, -1),
        iou_thrs: float = 0.5,
        merge_boxes: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not topk or any(k < 1 and k != -1 for k in topk):
            raise ConfigError(f'topk must hold numbers from 1 on, or -1, not {topk}')
        if not 0 < iou_thrs <= 1:
            raise ConfigError(f'iou_thrs must lie between 0 and 1, not {iou_thrs}')
        self.topk = tuple(topk)
        self.iou_thrs = iou_thrs
        self.merge_boxes = merge_boxes

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Find the rank of the first hit of every phrase of a batch.

        Args:
            data_batch: Not used.
            data_samples: Each with ``pred_instances`` (``bboxes``, ``scores``,
                ``labels`` into the phrases) and ``gt_instances`` (``bboxes`` and
                ``labels``), both in pixels of the original picture.
        """
        for sample in data_samples:
            ranks: list[int | None] = []
            truth = sample['gt_instances']
            found = sample['pred_instances']
            true_boxes = _tensor(truth['bboxes'])
            phrases = torch.as_tensor(sample.get('phrase_ids', truth['labels'])).cpu()
            for phrase in phrases.unique().tolist():
                boxes = true_boxes[phrases == phrase]
                if self.merge_boxes:
                    low, high = boxes[:, :2].amin(0), boxes[:, 2:].amax(0)
                    boxes = torch.cat([low, high])[None]
                mine = found['labels'].cpu() == phrase
                best_first = found['scores'].cpu()[mine].argsort(descending=True)
                candidates = _tensor(found['bboxes'])[mine][best_first]
                ranks.append(_first_hit(candidates, boxes, self.iou_thrs))
            # One entry per picture: several processes tell repeated ones by that.
            self.results.append(ranks)

    def compute_metrics(self, results: list[list[int | None]]) -> dict[str, float]:
        """Share of the phrases found.

        Args:
            results: Per picture the rank of each phrase's first hit.

        Returns:
            ``R@<k>`` in percent, ``upper_bound`` for -1, and the number of
            ``phrases``.
        """
        metrics: dict[str, float] = {}
        ranks = [rank for picture in results for rank in picture]
        for k in self.topk:
            hits = sum(r is not None and (k == -1 or r < k) for r in ranks)
            name = 'upper_bound' if k == -1 else f'R@{k}'
            metrics[name] = 100 * hits / len(ranks) if ranks else 0.0
        metrics['phrases'] = len(ranks)
        said = ', '.join(f'{name} {value:.2f}' for name, value in metrics.items())
        MMLogger.get_current_instance().info(said)
        return metrics


def _tensor(boxes: Any) -> Tensor:
    """Boxes of any kind as (N, 4) float32 on the CPU."""
    return getattr(boxes, 'tensor', boxes).detach().cpu().float().reshape(-1, 4)


def _first_hit(candidates: Tensor, boxes: Tensor, threshold: float) -> int | None:
    """Rank of the first candidate on one of the boxes, from 0."""
    hits = (box_iou(candidates, boxes) >= threshold).any(1).nonzero()
    return int(hits[0]) if len(hits) else None
