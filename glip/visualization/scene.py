"""A picture, words, and the boxes of the words, as one thing to be shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from glip.errors import DatasetError
from glip.text import TextPrompt, parse_text
from glip.visualization.drawing import Color, class_colors

Span = tuple[int, int]
_READ = 2000  # classes below a picture, beside those that have boxes
# Fields of a sample that say what was asked for; `make_scene` takes them by name.
PROMPT_FIELDS = ('text', 'custom_entities', 'tokens_positive', 'caption_prompt')


@dataclass(frozen=True, eq=False)
class Scene:
    """What a picture shows, or is said to show.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        caption: What the model reads; empty where it reads nothing.
        phrases: Label -> its (begin, end) in the caption.
        names: Label -> what to call its boxes.
        boxes: (N, 4) x1 y1 x2 y2 in pixels, ends exclusive.
        labels: (N,) which phrase each box is of.
        ignored: (N,) whether a box is no truth to learn, such as that of a crowd.
        scores: (N,) of detections; None for boxes that people drew.
    """

    image: np.ndarray
    caption: str
    phrases: tuple[tuple[Span, ...], ...]
    names: tuple[str, ...]
    boxes: np.ndarray
    labels: np.ndarray
    ignored: np.ndarray
    scores: np.ndarray | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.image.shape[1], self.image.shape[0]

    def enlarged(self, side: int) -> Scene:
        """The same, larger, so that tags leave room for what they name.

        Args:
            side: Least length of the longer side in pixels.
        """
        factor = side / max(self.size)
        if factor <= 1:
            return self
        image = Image.fromarray(np.ascontiguousarray(self.image))
        size = (round(self.size[0] * factor), round(self.size[1] * factor))
        larger = image.resize((max(size[0], 1), max(size[1], 1)), Image.BILINEAR)
        return replace(self, image=np.asarray(larger), boxes=self.boxes * factor)

    def counts(self) -> dict[int, int]:
        """Boxes of each phrase that has any, those to ignore left out."""
        labels, counts = np.unique(self.labels[~self.ignored], return_counts=True)
        return dict(zip(labels.tolist(), counts.tolist(), strict=True))


class Segment(NamedTuple):
    """Characters of a caption that stand for the same phrases.

    Attributes:
        text: The characters.
        labels: Phrases with boxes that they belong to, the shortest first.
        absent: Whether they belong to a phrase without boxes.
    """

    text: str
    labels: tuple[int, ...]
    absent: bool


def make_scene(
    image: np.ndarray,
    boxes: Any,
    labels: Any,
    *,
    text: Any = None,
    custom_entities: bool | None = None,
    tokens_positive: Any = None,
    caption_prompt: Mapping[str, Mapping[str, str]] | None = None,
    names: Sequence[str] = (),
    ignored: Any = None,
    scores: Any = None,
    source: str = 'a picture',
) -> Scene:
    """Scene of boxes whose labels are those of a prompt.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (N, 4), ends exclusive.
        labels: (N,), which index the names of the prompt.
        text: What :func:`glip.text.parse_text` takes, as do the next three.
        custom_entities: See there.
        tokens_positive: See there.
        caption_prompt: See there.
        names: What to call the labels where there is no text.
        ignored: (N,), by default none.
        scores: (N,) of detections.
        source: The picture, for messages.

    Raises:
        PromptError: The text cannot be used.
        DatasetError: A label has no words.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    labels = np.asarray(labels, dtype=np.int64).reshape(-1)
    if ignored is None:
        ignored = np.zeros(len(boxes), dtype=bool)
    caption = ''
    if text is None:
        count = max([len(names), *(labels + 1).tolist()])
        extra = tuple(f'label {i}' for i in range(len(names), count))
        names, phrases = (*names, *extra), ((),) * count
    else:
        prompt = parse_text(
            text,
            custom_entities=custom_entities or None,
            tokens_positive=tokens_positive,
            caption_prompt=caption_prompt,
        )
        names = prompt.names
        prompt, left_out = _legible(prompt, set(labels.tolist()))
        caption, phrases = prompt.caption, prompt.by_label(prompt.spans)
        if left_out:
            caption += f' ... and {left_out} more'
    for label in labels.tolist():
        if not 0 <= label < len(names):
            raise DatasetError(
                f'{source}: label {label} but the prompt has {len(names)} phrases; '
                'check the classes of its data set'
            )
    return Scene(
        image=image,
        caption=caption,
        phrases=phrases,
        names=tuple(names),
        boxes=boxes,
        labels=labels,
        ignored=np.asarray(ignored, dtype=bool).reshape(-1),
        scores=None if scores is None else np.asarray(scores, dtype=np.float64),
    )


def _legible(prompt: TextPrompt, labels: Collection[int]) -> tuple[TextPrompt, int]:
    """As much of a prompt as anybody reads, and the number of classes left out."""
    if not prompt.is_class_prompt or prompt.num_entities <= _READ:
        return prompt, 0
    entities = [
        entity
        for entity, label in enumerate(prompt.labels)
        if entity < _READ or label in labels
    ]
    return prompt.subset(entities), prompt.num_entities - len(entities)


def phrase_colors(labels: Iterable[int]) -> dict[int, Color]:
    """A colour of its own for each label."""
    chosen = sorted(set(labels))
    return dict(zip(chosen, class_colors('none', len(chosen)), strict=False))


def segments(
    caption: str,
    phrases: Sequence[Sequence[Span]],
    shown: Collection[int],
) -> list[Segment]:
    """Cut a caption where phrases begin and end.

    Args:
        caption: The whole of it comes back in pieces.
        phrases: Label -> its spans, which may overlap.
        shown: Labels that have boxes.
    """
    begins, ends = defaultdict(list), defaultdict(list)
    for label, spans in enumerate(phrases):
        for begin, end in spans:
            begins[begin].append((end - begin, label))
            ends[end].append((end - begin, label))
    cuts = sorted({0, len(caption), *begins, *ends})
    active: list[tuple[int, int]] = []
    cut = []
    for here, after in pairwise(cuts):
        for entry in ends[here]:
            active.remove(entry)
        active += begins[here]
        labels = [label for _, label in sorted(active)]
        with_boxes = tuple(dict.fromkeys(label for label in labels if label in shown))
        absent = bool(labels) and not with_boxes
        cut.append(Segment(caption[here:after], with_boxes, absent))
    return cut
