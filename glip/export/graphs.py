"""What becomes a graph: words to features, and a picture with them to boxes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import nms

from glip.models.language import TextFeatures
from glip.models.postprocess import EntityScores
from glip.ops.inclusive_boxes import clip_inclusive, decode_inclusive, half_open


class WordsGraph(nn.Module):
    """The language model.

    Args:
        model: A GLIP.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.body = model.language_model.language_backbone.body

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Token ids and mask (B, T) to hidden and embedded (B, T, D)."""
        return self.body(input_ids, attention_mask)


class PictureGraph(nn.Module):
    """Everything but the language model.

    Args:
        model: A GLIP.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.backbone, self.neck = model.backbone, model.neck
        self.head = model.bbox_head.head

    def forward(
        self, image: Tensor, hidden: Tensor, embedded: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Raw predictions at the N positions of all levels.

        Args:
            image: Normalised picture (1, 3, H, W).
            hidden: Features of the tokens (1, T, D).
            embedded: Likewise.
            mask: True where a token is real (1, T).

        Returns:
            Token logits (N, T), deltas (N, 4), centerness logits (N,).
        """
        text = TextFeatures(hidden, embedded, mask)
        logits, deltas, centerness = self.head(self.neck(self.backbone(image)), text)
        return (
            torch.cat([level[0] for level in logits]),
            torch.cat([level[0].flatten(1).t() for level in deltas]),
            torch.cat([level.flatten() for level in centerness]),
        )


class BakedGraph(nn.Module):
    """A picture to boxes, for words that are part of the graph.

    Args:
        model: A GLIP.
        text: Features of the one prompt.
        scores_of: From its tokens to its classes.
        with_nms: Suppress boxes that overlap; else the best candidates come out.
    """

    def __init__(
        self,
        model: Any,
        text: TextFeatures,
        scores_of: EntityScores,
        *,
        with_nms: bool = True,
    ) -> None:
        super().__init__()
        self.picture = PictureGraph(model)
        self.scores_of = scores_of
        self.strides = [stride[0] for stride in model.bbox_head.prior_generator.strides]
        self.scale = model.bbox_head.prior_generator.octave_base_scale
        self.cfg = model.bbox_head.test_cfg
        self.with_nms = with_nms
        for name in ('hidden', 'embedded', 'mask'):
            self.register_buffer(name, getattr(text, name).clone())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (M, 4) xyxy in pixels of the input, scores (M,) and labels (M,).

        Args:
            image: Normalised picture (1, 3, H, W).
        """
        logits, deltas, centerness = self.picture(
            image, self.hidden, self.embedded, self.mask
        )
        height, width = image.shape[2], image.shape[3]
        classes = self.scores_of(logits[:, self.scores_of.tokens])
        scores = classes * centerness.sigmoid()[:, None]
        scores = torch.where(
            classes > self.cfg['score_thr'], scores, torch.zeros_like(scores)
        )
        labels = self.scores_of.labels.expand_as(scores).flatten()
        count = torch.sym_min(self.cfg['nms_pre'], scores.numel())
        best, index = scores.flatten().topk(count)
        rows = index // scores.shape[1]
        anchors = self._anchors(height, width, image)
        boxes = decode_inclusive(anchors[rows], deltas[rows])
        boxes = clip_inclusive(boxes, height, width)
        boxes = half_open(boxes)
        best, labels = best.sqrt(), labels[index]
        real = (best > 0).nonzero()[:, 0]
        boxes, best, labels = boxes[real], best[real], labels[real]
        if not self.with_nms:
            return boxes, best, labels
        # Classes are told apart by moving their boxes.
        moved = boxes + (labels * (torch.sym_max(height, width) + 2))[:, None]
        kept_boxes = nms(moved, best, self.cfg['nms']['iou_threshold'])
        kept_boxes = kept_boxes[: self.cfg['max_per_img']]
        return boxes[kept_boxes], best[kept_boxes], labels[kept_boxes]

    def _anchors(self, height: Any, width: Any, like: Tensor) -> Tensor:
        """Inclusive anchors of all levels, one for each position."""
        levels = []
        for stride in self.strides:
            rows = (height + stride - 1) // stride
            columns = (width + stride - 1) // stride
            y = torch.arange(rows, device=like.device, dtype=like.dtype) * stride
            x = torch.arange(columns, device=like.device, dtype=like.dtype) * stride
            y, x = torch.meshgrid(y + stride / 2, x + stride / 2, indexing='ij')
            centers = torch.stack((x.flatten(), y.flatten()), 1)
            half = self.scale * stride / 2
            levels.append(torch.cat((centers - half, centers + half - 1), 1))
        return torch.cat(levels)


@contextmanager
def attention_written_out() -> Iterator[None]:
    """Attention as products and a softmax.

    The exporter's own decomposition fails for windows ("Cannot view a tensor").
    """
    fused = F.scaled_dot_product_attention
    F.scaled_dot_product_attention = _attention  # type: ignore[assignment]
    try:
        yield
    finally:
        F.scaled_dot_product_attention = fused


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``F.scaled_dot_product_attention`` without dropout, causality and groups."""
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    products = (query * factor) @ key.transpose(-2, -1)
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            products = products.masked_fill(~attn_mask, float('-inf'))
        else:
            products = products + attn_mask
    return products.softmax(-1) @ value
