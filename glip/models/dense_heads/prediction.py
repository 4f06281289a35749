"""From pictures and prompts to detections: what a picture costs once and a prompt each.

Without fusion the tower does not read the words: a picture goes through it once, and a
prompt costs one product of its positions with the tokens. With fusion, only backbone
and neck are the picture's own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from glip.models.language import TextFeatures
from glip.models.postprocess import (
    Candidates,
    EntityScores,
    merge_candidates,
    select_candidates,
)
from glip.ops import clip_inclusive, linear, to_device
from glip.text import EncodedPrompt

Levels = tuple[Tensor, ...]

# Positions of all prompts that go through a fused tower together: 2 prompts of a
# picture of 800x1333, which take about 1 GB each in GLIP-T.
_POSITIONS_TOGETHER = 50_000
# Prompts whose map from tokens to classes is kept; LVIS has 31.
_CACHED_SCORES = 1024


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


def _in_full_precision(method: Callable) -> Callable:
    """Leave autocasting: what follows the tower is little, and decides on all."""

    @wraps(method)
    def call(self, *args: Any) -> Any:
        with torch.autocast(self.head.bias0.device.type, enabled=False):
            return method(self, *args)

    return call


class PredictionMixin:
    """Detections of :class:`ATSSVLFusionHead`, of whose parts it makes use.

    The module has to have ``head``, ``bbox_coder``, ``prior_generator``,
    ``early_fuse``, ``test_cfg`` and ``_scores``, an empty ``OrderedDict``.
    """

    def _anchors(
        self, sizes: Sequence[tuple[int, int]], device: torch.device
    ) -> list[Tensor]:
        """Inclusive anchors (H*W, 4) of each level."""
        generator = self.prior_generator
        # The generator copies these from the host each time unless they are there.
        generator.base_anchors = [base.to(device) for base in generator.base_anchors]
        priors = generator.grid_priors(sizes, dtype=torch.float32, device=device)
        return [torch.cat((p[:, :2], p[:, 2:] - 1), 1) for p in priors]

    def encode_pictures(self, visual: Levels) -> PictureFeatures:
        """All that can be computed of pictures without words.

        Args:
            visual: Pyramid of B pictures, (B, C, H, W) per level.
        """
        sizes = tuple((level.shape[2], level.shape[3]) for level in visual)
        if self.early_fuse:
            return PictureFeatures(sizes, levels=visual)
        visual, _ = self.head.tower(visual, None)
        pictures = range(len(visual[0]))
        return PictureFeatures(
            sizes, positions=tuple(self._positions(visual, i) for i in pictures)
        )

    @_in_full_precision
    def _positions(self, visual: Levels, picture: int) -> Positions:
        """Predictions for one picture of what came out of the tower."""
        rows = torch.cat([level[picture].flatten(1).t() for level in visual])
        rows = rows.to(self.head.bias0.dtype)
        deltas, centerness = self.head.row_boxes(
            rows, [level.shape[2] * level.shape[3] for level in visual]
        )
        return Positions(rows, deltas.float(), centerness.float().sigmoid())

    def predict(
        self,
        pictures: PictureFeatures,
        text: TextFeatures,
        prompts: Sequence[Sequence[EncodedPrompt]],
        img_metas: Sequence[dict],
        *,
        rescale: bool = True,
    ) -> list[InstanceData]:
        """Detections in pictures of which every one may have several prompts.

        Args:
            pictures: From :meth:`encode_pictures`.
            text: Features of all prompts, picture after picture.
            prompts: Prompts of each picture.
            img_metas: ``img_shape`` and ``scale_factor`` of each picture.
            rescale: Return boxes in pixels of the original picture.

        Returns:
            Per picture ``bboxes`` (N, 4), ``scores`` (N,), ``labels`` (N,), by
            descending score.
        """
        anchors = torch.cat(self._anchors(pictures.sizes, text.mask.device))
        found = (self._fused if self.early_fuse else self._unfused)(
            pictures, text, prompts
        )
        return [
            self._finish([next(found) for _ in picture_prompts], anchors, meta, rescale)
            for picture_prompts, meta in zip(prompts, img_metas, strict=True)
        ]

    @_in_full_precision
    def _keys(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (U, D) to keys (U, C) and biases (U,)."""
        return self.head.keys_of(tokens.to(self.head.bias0.dtype))

    def _unfused(
        self,
        pictures: PictureFeatures,
        text: TextFeatures,
        prompts: Sequence[Sequence[EncodedPrompt]],
    ) -> Iterator[tuple[Candidates, Tensor]]:
        """Candidates of each prompt in order, and their deltas (M, 4)."""
        row = 0
        for positions, own in zip(pictures.positions, prompts, strict=True):
            scores = [self._scores_of(prompt, text.mask.device) for prompt in own]
            tokens = [text.embedded[row + i, s.tokens] for i, s in enumerate(scores)]
            counts = list(map(len, tokens))
            keys, bias = self._keys(torch.cat(tokens))
            parts = (scores, keys.split(counts), bias.split(counts))
            for scores_of, *match in zip(*parts, strict=True):
                yield self._select(pictures.sizes, positions, *match, scores_of)
            row += len(own)

    def _fused(
        self,
        pictures: PictureFeatures,
        text: TextFeatures,
        prompts: Sequence[Sequence[EncodedPrompt]],
    ) -> Iterator[tuple[Candidates, Tensor]]:
        """As :meth:`_unfused`, several prompts over the same features at a time."""
        owners = [picture for picture, own in enumerate(prompts) for _ in own]
        every = [prompt for own in prompts for prompt in own]
        size = self._prompts_together(pictures)
        for start in range(0, len(every), size):
            rows = range(start, min(start + size, len(every)))
            words = text.take(rows, [len(every[row].input_ids) for row in rows])
            visual = _pictures_of(pictures.levels, [owners[row] for row in rows])
            visual, words = self.head.tower(visual, words)
            for i, row in enumerate(rows):
                scores_of = self._scores_of(every[row], text.mask.device)
                match = self._keys(words.hidden[i, scores_of.tokens])
                positions = self._positions(visual, i)
                yield self._select(pictures.sizes, positions, *match, scores_of)

    def _prompts_together(self, pictures: PictureFeatures) -> int:
        """Prompts that go through the tower at a time."""
        positions = sum(height * width for height, width in pictures.sizes)
        wanted = int(self.test_cfg['prompt_batch_size'])
        size = min(wanted, _POSITIONS_TOGETHER // positions)
        return max(size, len(pictures.levels[0]))

    @_in_full_precision
    def _select(
        self,
        sizes: Sequence[tuple[int, int]],
        positions: Positions,
        keys: Tensor,
        bias: Tensor,
        scores_of: EntityScores,
    ) -> tuple[Candidates, Tensor]:
        """Candidates of one picture and prompt, whose keys are (U, C)."""
        candidates = select_candidates(
            linear(positions.rows, keys, bias),
            positions.centerness,
            scores_of,
            [height * width for height, width in sizes],
            score_thr=self.test_cfg['score_thr'],
            nms_pre=self.test_cfg['nms_pre'],
        )
        return candidates, positions.deltas[candidates.places]

    def _scores_of(self, prompt: EncodedPrompt, device: torch.device) -> EntityScores:
        """From tokens to classes, made once per prompt."""
        how = self.test_cfg['score_agg']
        key = (id(prompt), device, how)
        if key not in self._scores:
            made = EntityScores(prompt, len(prompt.input_ids), device, how)
            self._scores[key] = (prompt, made)  # kept, so its id stays its own
            if len(self._scores) > _CACHED_SCORES:
                self._scores.popitem(last=False)
        self._scores.move_to_end(key)
        return self._scores[key][1]

    def _finish(
        self,
        found: Sequence[tuple[Candidates, Tensor]],
        anchors: Tensor,
        meta: dict,
        rescale: bool,
    ) -> InstanceData:
        """Detections of a picture from the candidates of its prompts."""
        candidates, deltas = zip(*found, strict=True)
        places, scores, labels = map(torch.cat, zip(*candidates, strict=True))
        deltas = torch.cat(deltas)
        real = (scores >= 0).nonzero()[:, 0]

        def boxes_of(index: Tensor) -> Tensor:
            index = real[index]
            boxes = self.bbox_coder.decode(anchors[places[index]], deltas[index])
            return clip_inclusive(boxes, *meta['img_shape'][:2])

        boxes, scores, labels = merge_candidates(
            scores[real].sqrt(),
            labels[real],
            boxes_of,
            iou_threshold=self.test_cfg['nms']['iou_threshold'],
            max_per_img=self.test_cfg['max_per_img'],
        )
        if rescale:
            width, height = meta.get('scale_factor', (1.0, 1.0))  # nothing was resized
            factor = torch.tensor([width, height, width, height], dtype=boxes.dtype)
            boxes = boxes / to_device(factor, boxes.device)
        # Inclusive to half-open, after rescaling: the order of the published numbers.
        boxes = torch.cat((boxes[:, :2], boxes[:, 2:] + 1), 1)
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
