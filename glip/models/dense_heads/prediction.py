"""From pictures and prompts to detections: what a picture costs once and a prompt each.

Without fusion the tower does not read the words: a picture goes through it once, and a
prompt costs one product of its positions with the tokens. With fusion, only backbone
and neck are the picture's own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from glip.models.box_coder import DeltaXYWHBBoxCoderForGLIP
from glip.models.language import TextFeatures
from glip.models.postprocess import (
    Candidates,
    EntityScores,
    merge_candidates,
    select_candidates,
)
from glip.ops import clip_inclusive, half_open, to_device

from .anchors import Anchors, inclusive_anchors
from .tower import VLFusionModule

Levels = tuple[Tensor, ...]

# Positions of all prompts that go through a fused tower together: 2 prompts of a
# picture of 800x1333, which take about 1 GB each in GLIP-T.
_POSITIONS_TOGETHER = 50_000


@dataclass(frozen=True)
class Positions:
    """Predictions that no word is needed for, for N positions of all levels in a row.

    Attributes:
        rows: What is compared with tokens, (N, C).
        deltas: Box deltas (N, 4).
        centerness: Probabilities (N,).
    """

    rows: Tensor
    deltas: Tensor
    centerness: Tensor


@dataclass(frozen=True)
class PictureFeatures:
    """All that is known of B pictures before the words; may be used for many prompts.

    Attributes:
        sizes: Height and width of each level.
        levels: With fusion the pyramid, (B, C, H, W) per level.
        positions: Without fusion the predictions for each picture.
    """

    sizes: tuple[tuple[int, int], ...]
    levels: Levels = ()
    positions: tuple[Positions, ...] = ()


class Predictor:
    """Detections from encoded pictures and prompts.

    Args:
        head: Tower and predictions; its ``early_fuse`` says whether the tower reads
            the words.
        coder: Decodes box deltas.
        anchors: Generator of the anchors, one for each position of a level.
        cfg: Complete ``test_cfg`` of :class:`ATSSVLFusionHead`.
    """

    select = staticmethod(select_candidates)

    def __init__(
        self,
        head: VLFusionModule,
        coder: DeltaXYWHBBoxCoderForGLIP,
        anchors: Anchors,
        cfg: Mapping[str, Any],
    ) -> None:
        self.head, self.coder, self.anchors, self.cfg = head, coder, anchors, cfg

    def encode_pictures(self, levels: Levels) -> PictureFeatures:
        """All that can be computed of pictures without words.

        Args:
            levels: Of B pictures, from the head's ``encode_levels``.
        """
        sizes = tuple((level.shape[2], level.shape[3]) for level in levels)
        if self.head.early_fuse:
            return PictureFeatures(sizes, levels=levels)
        pictures = range(len(levels[0]))
        return PictureFeatures(
            sizes, positions=tuple(self._positions(levels, i) for i in pictures)
        )

    def predict(
        self,
        pictures: PictureFeatures,
        text: TextFeatures,
        scores_of: Sequence[Sequence[EntityScores]],
        img_metas: Sequence[dict],
        *,
        rescale: bool = True,
    ) -> list[InstanceData]:
        """Detections in pictures of which every one may have several prompts.

        Args:
            pictures: From :meth:`encode_pictures`.
            text: Features of all prompts, picture after picture.
            scores_of: From tokens to classes, for each prompt of each picture.
            img_metas: ``img_shape`` and ``scale_factor`` of each picture.
            rescale: Return boxes in pixels of the original picture.

        Returns:
            Per picture ``bboxes`` (N, 4), ``scores`` (N,), ``labels`` (N,), by
            descending score.
        """
        anchors = torch.cat(
            inclusive_anchors(self.anchors, pictures.sizes, text.mask.device)
        )
        by_prompt = self._by_prompt(pictures, text, scores_of)
        return [
            self._detections(
                [next(by_prompt) for _ in picture_prompts], anchors, meta, rescale
            )
            for picture_prompts, meta in zip(scores_of, img_metas, strict=True)
        ]

    def _by_prompt(
        self,
        pictures: PictureFeatures,
        text: TextFeatures,
        scores_of: Sequence[Sequence[EntityScores]],
    ) -> Iterator[tuple[Candidates, Tensor]]:
        """Candidates of each prompt in order, and their deltas (M, 4)."""
        by_prompt = self._fused if self.head.early_fuse else self._unfused
        return by_prompt(pictures, text, scores_of)

    def _full_precision(self) -> torch.autocast:
        """No autocasting: what follows the tower is little, and decides on all."""
        return torch.autocast(self.head.bias0.device.type, enabled=False)

    def _positions(self, visual: Levels, picture: int) -> Positions:
        """Predictions for one picture of what came out of the tower."""
        with self._full_precision():
            rows = torch.cat([level[picture].flatten(1).t() for level in visual])
            rows = rows.to(self.head.bias0.dtype)
            deltas, centerness = self.head.row_boxes(
                rows, [level.shape[2] * level.shape[3] for level in visual]
            )
            return Positions(rows, deltas.float(), centerness.float().sigmoid())

    def _keys(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (U, D) to keys (U, C) and biases (U,)."""
        with self._full_precision():
            return self.head.keys_of(tokens.to(self.head.bias0.dtype))

    def _unfused(
        self,
        pictures: PictureFeatures,
        text: TextFeatures,
        scores_of: Sequence[Sequence[EntityScores]],
    ) -> Iterator[tuple[Candidates, Tensor]]:
        """See :meth:`_by_prompt`."""
        row = 0
        for positions, scores in zip(pictures.positions, scores_of, strict=True):
            tokens = [text.embedded[row + i, s.tokens] for i, s in enumerate(scores)]
            counts = list(map(len, tokens))
            all_keys, all_biases = self._keys(torch.cat(tokens))
            parts = (scores, all_keys.split(counts), all_biases.split(counts))
            for prompt_scores, keys, bias in zip(*parts, strict=True):
                yield self._select(pictures.sizes, positions, keys, bias, prompt_scores)
            row += len(scores)

    def _fused(
        self,
        pictures: PictureFeatures,
        text: TextFeatures,
        scores_of: Sequence[Sequence[EntityScores]],
    ) -> Iterator[tuple[Candidates, Tensor]]:
        """As :meth:`_unfused`, several prompts over the same features at a time."""
        owners = [picture for picture, scores in enumerate(scores_of) for _ in scores]
        every = [prompt_scores for scores in scores_of for prompt_scores in scores]
        size = self._prompts_together(pictures)
        for start in range(0, len(every), size):
            rows = range(start, min(start + size, len(every)))
            words = text.take(rows, [every[row].num_tokens for row in rows])
            visual = _pictures_of(pictures.levels, [owners[row] for row in rows])
            visual, refined = self.head.tower(visual, words)
            hidden = cast(TextFeatures, refined).hidden
            for i, row in enumerate(rows):
                keys, bias = self._keys(hidden[i, every[row].tokens])
                positions = self._positions(visual, i)
                yield self._select(pictures.sizes, positions, keys, bias, every[row])

    def _prompts_together(self, pictures: PictureFeatures) -> int:
        """Prompts that go through the tower at a time."""
        positions = sum(height * width for height, width in pictures.sizes)
        wanted = int(self.cfg['prompt_batch_size'])
        size = min(wanted, _POSITIONS_TOGETHER // positions)
        return max(size, len(pictures.levels[0]))

    def _select(
        self,
        sizes: Sequence[tuple[int, int]],
        positions: Positions,
        keys: Tensor,
        bias: Tensor,
        scores_of: EntityScores,
    ) -> tuple[Candidates, Tensor]:
        """Candidates of one picture and prompt, whose keys are (U, C)."""
        with self._full_precision():
            candidates = self.select(
                self.head.product(positions.rows, keys, bias),
                positions.centerness,
                scores_of,
                [height * width for height, width in sizes],
                score_thr=self.cfg['score_thr'],
                nms_pre=self.cfg['nms_pre'],
            )
            return candidates, positions.deltas[candidates.places]

    def _detections(
        self,
        by_prompt: Sequence[tuple[Candidates, Tensor]],
        anchors: Tensor,
        meta: dict,
        rescale: bool,
    ) -> InstanceData:
        """Detections of a picture from the candidates of its prompts."""
        candidates, deltas_of = zip(*by_prompt, strict=True)
        places, scores, labels = map(torch.cat, zip(*candidates, strict=True))
        deltas = torch.cat(deltas_of)
        real = (scores >= 0).nonzero()[:, 0]

        def boxes_of(index: Tensor) -> Tensor:
            index = real[index]
            boxes = self.coder.decode(anchors[places[index]], deltas[index])
            return clip_inclusive(boxes, *meta['img_shape'][:2])

        width, height = meta.get('scale_factor', (1.0, 1.0)) if rescale else (1.0, 1.0)
        factor = torch.tensor([width, height, width, height], dtype=deltas.dtype)
        factor = to_device(factor, deltas.device)
        smallest = self.cfg.get('min_bbox_size', -1)
        if smallest > 0:  # none has less than a pixel
            sides = boxes_of(torch.arange(len(real), device=real.device)) / factor
            real = real[(sides[:, 2:] - sides[:, :2] + 1 > smallest).all(1)]
        boxes, scores, labels = merge_candidates(
            scores[real].sqrt(),
            labels[real],
            boxes_of,
            iou_threshold=self.cfg['nms']['iou_threshold'],
            max_per_img=self.cfg['max_per_img'],
        )
        if rescale:
            boxes = boxes / factor
        # Inclusive to half-open, after rescaling: the order of the published numbers.
        boxes = half_open(boxes)
        return InstanceData(bboxes=boxes, scores=scores, labels=labels)


def _pictures_of(levels: Levels, pictures: Sequence[int]) -> Levels:
    """A pyramid of the given pictures, as a view where they follow or repeat."""
    first, count = pictures[0], len(pictures)
    if list(pictures) == list(range(first, first + count)):
        return tuple(level[first : first + count] for level in levels)
    if len(set(pictures)) == 1:
        return tuple(
            level[first : first + 1].expand(count, -1, -1, -1) for level in levels
        )
    index = to_device(torch.tensor(pictures), levels[0].device)
    return tuple(level[index] for level in levels)
