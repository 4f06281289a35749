"""What one annotated picture is, whatever file it came from, and the checks of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from glip.errors import DatasetError

Span = tuple[int, int]
Box = tuple[float, float, float, float]

_EXAMPLES = 4  # places a summary names for each reason
_BEYOND = 1.0  # pixels that a box may reach beyond its picture without a word
_SMALLEST = 1.0  # pixels of a picture that a box must cover in each direction
_LARGEST = 2.0**53  # whole numbers beyond it are not exact


@dataclass(frozen=True)
class Phrase:
    """Words of a caption and where in the picture they are.

    Two phrases of one caption are two entities, also where their words are the same.

    Attributes:
        spans: Characters of the caption, [begin, end) each.
        boxes: (x1, y1, x2, y2) in pixels of the picture, ends exclusive.
        scores: How sure the maker of the boxes was, one for each; empty for boxes
            that people drew.
        types: What kinds of things it is, where the annotations say so (Flickr30k
            Entities: people, clothing and so on).
    """

    spans: tuple[Span, ...]
    boxes: tuple[Box, ...]
    scores: tuple[float, ...] = ()
    types: tuple[str, ...] = ()


@dataclass(frozen=True)
class GroundingSample:
    """A picture with a sentence and the boxes of its phrases.

    Attributes:
        dataset_name: Of several sets in one file, which it is of; else empty.
    """

    file_name: str
    width: int
    height: int
    caption: str
    phrases: tuple[Phrase, ...]
    image_id: Any = None
    dataset_name: str = ''

    @classmethod
    def checked(
        cls,
        *,
        file_name: str,
        width: float,
        height: float,
        caption: Any,
        phrases: Iterable[Phrase],
        dropped: Dropped,
        where: Any,
        image_id: Any = None,
        dataset_name: str = '',
        keep_boxless: bool = False,
    ) -> GroundingSample:
        """Make one of what a file says.

        Spans beyond the caption and boxes beyond use are left out and counted, and
        so are phrases that have no span or no box left.

        Args:
            file_name: Of the picture, as in the annotations.
            width: Of the picture in pixels.
            height: Of the picture in pixels.
            caption: The sentence; blanks are kept, as spans count them.
            phrases: As read, nothing about them taken for granted.
            dropped: Counts what is left out.
            where: The place in the file, such as ``'line 3'``.
            image_id: Of the picture, where the file has one.
            dataset_name: Which set it is of, where the file says so.
            keep_boxless: Keep phrases whose words are there but not their boxes, so
                that phrases keep their numbers; for evaluation.

        Raises:
            DatasetError: There is no caption or no size.
        """
        width, height = check_size(width, height, dropped.source, where)
        if not isinstance(caption, str):
            raise DatasetError(
                f'{dropped.source}, {where}: no caption; a grounding record needs its '
                'sentence as a string'
            )
        valid_phrases = []
        for phrase in phrases:
            spans = checked_spans(phrase.spans, caption, dropped, where)
            boxes, index = checked_boxes(phrase.boxes, width, height, dropped, where)
            if not spans or not (boxes or keep_boxless):
                dropped.add('phrases left without words or boxes', where)
                continue
            scores = tuple(phrase.scores[i] for i in index) if phrase.scores else ()
            valid_phrases.append(Phrase(spans, boxes, scores, phrase.types))
        return cls(
            file_name,
            width,
            height,
            caption,
            tuple(valid_phrases),
            image_id,
            dataset_name,
        )


@dataclass(frozen=True)
class DetectionSample:
    """A picture with boxes of classes.

    Attributes:
        labels: Box -> index into the names of its data set.
        ignored: Box -> whether it stands for a crowd; empty where none does.
        scores: How sure the maker of the boxes was, one for each; empty for boxes
            that people drew.
    """

    file_name: str
    width: int
    height: int
    boxes: tuple[Box, ...]
    labels: tuple[int, ...]
    image_id: Any = None
    ignored: tuple[bool, ...] = ()
    scores: tuple[float, ...] = ()

    @classmethod
    def checked(
        cls,
        *,
        file_name: str,
        width: float,
        height: float,
        boxes: Sequence[Sequence[float]],
        labels: Sequence[int],
        dropped: Dropped,
        where: Any,
        image_id: Any = None,
        ignored: Sequence[bool] = (),
        scores: Sequence[float] = (),
    ) -> DetectionSample:
        """Make one of what a file says; boxes beyond use are left out and counted.

        Args:
            file_name: Of the picture, as in the annotations.
            width: Of the picture in pixels.
            height: Of the picture in pixels.
            boxes: (x1, y1, x2, y2) each.
            labels: As many, indices into the data set's names.
            dropped: Counts what is left out.
            where: The place in the file, such as ``'line 3'``.
            image_id: Of the picture, where the file has one.
            ignored: As many, or none.
            scores: As many, or none.

        Raises:
            DatasetError: The picture has no size.
        """
        width, height = check_size(width, height, dropped.source, where)
        valid_boxes, index = checked_boxes(boxes, width, height, dropped, where)
        return cls(
            file_name,
            width,
            height,
            valid_boxes,
            tuple(labels[i] for i in index),
            image_id,
            tuple(ignored[i] for i in index) if any(ignored) else (),
            tuple(scores[i] for i in index) if scores else (),
        )


Sample = DetectionSample | GroundingSample


class Dropped:
    """Counts of what reading a file leaves out or changes, and why.

    Args:
        source: The file, for the summary and for errors.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.counts: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self._places: dict[str, list[Any]] = {}

    def add(self, reason: str, where: Any, count: int = 1) -> None:
        """Count ``count`` things; ``reason`` names them in the plural."""
        self._count(self.counts, reason, where, count)

    def change(self, what: str, where: Any) -> None:
        """Count a thing that is used, but not as it stands in the file."""
        self._count(self.changes, what, where, 1)

    def _count(self, counts: Counter[str], reason: str, where: Any, count: int) -> None:
        counts[reason] += count
        places = self._places.setdefault(reason, [])
        if len(places) < _EXAMPLES and where not in places:
            places.append(where)

    def __bool__(self) -> bool:
        return bool(self.counts or self.changes)

    def summary(self) -> str:
        """All of it in one line."""
        parts = [f'left out {self.reasons()}'] if self.counts else []
        if self.changes:
            parts.append(f'changed {self._listed(self.changes)}')
        return f'{self.source}: {"; ".join(parts) or "left out nothing"}'

    def reasons(self) -> str:
        """Each reason for leaving something out, with its count and first places."""
        return self._listed(self.counts)

    def _listed(self, counts: Counter[str]) -> str:
        parts = []
        for reason, count in counts.items():
            places = self._places[reason]
            more = ', ...' if count > len(places) else ''
            parts.append(f'{count} {reason} ({", ".join(map(str, places))}{more})')
        return '; '.join(parts)


def check_size(width: Any, height: Any, source: str, where: Any) -> tuple[int, int]:
    """The size of a picture as whole pixels.

    Raises:
        DatasetError: It is no size.
    """
    for side in (width, height):
        number = isinstance(side, (int, float)) and not isinstance(side, bool)
        if not number or not 1 <= side < 2**31:
            raise DatasetError(
                f'{source}, {where}: the picture has the size {width}x{height}; width '
                'and height must be pixels'
            )
    return int(width), int(height)


def checked_spans(
    spans: Iterable[Sequence[int]], caption: str, dropped: Dropped, where: Any
) -> tuple[Span, ...]:
    """The spans that lie within the caption and have words in them, each once."""
    valid_spans: list[Span] = []
    for span in spans:
        pair = isinstance(span, (list, tuple)) and len(span) == 2
        if not pair or not all(_is_whole(end) for end in span):
            dropped.add('spans that are not two whole numbers', f'{where}: {span}')
            continue
        begin, end = int(span[0]), int(span[1])
        if begin < 0 or end > len(caption):
            place = f'{where}: [{begin}, {end}) of {len(caption)} characters'
            dropped.add('spans beyond the caption', place)
        elif not caption[begin:end].strip():
            dropped.add('empty spans', f'{where}: [{begin}, {end})')
        else:
            valid_spans.append((begin, end))
    return tuple(sorted(set(valid_spans)))


def checked_boxes(
    boxes: Iterable[Sequence[float]],
    width: int,
    height: int,
    dropped: Dropped,
    where: Any,
) -> tuple[tuple[Box, ...], tuple[int, ...]]:
    """The boxes that can be learned, clipped to the picture, and their indices."""
    valid_boxes: list[Box] = []
    index: list[int] = []
    for number, box in enumerate(boxes):
        four = isinstance(box, (list, tuple)) and len(box) == 4
        if not four or not all(map(is_finite, box)):
            dropped.add('boxes that are not four finite numbers', where)
            continue
        x1, y1, x2, y2 = map(float, box)
        if x2 <= x1 or y2 <= y1:
            dropped.add('boxes without size or inverted', where)
            continue
        beyond = max(-x1, -y1, x2 - width, y2 - height) > _BEYOND
        x1, y1 = max(x1, 0.0), max(y1, 0.0)
        x2, y2 = min(x2, float(width)), min(y2, float(height))
        if x2 - x1 < _SMALLEST or y2 - y1 < _SMALLEST:
            dropped.add('boxes outside their picture or below a pixel', where)
            continue
        if beyond:
            dropped.change(
                'boxes that reach beyond their picture, cut at its edge', where
            )
        valid_boxes.append((x1, y1, x2, y2))
        index.append(number)
    return tuple(valid_boxes), tuple(index)


def is_finite(value: Any) -> bool:
    """Whether it is a number that can be computed with, and counts pixels or so."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and -_LARGEST < value < _LARGEST


def _is_whole(value: Any) -> bool:
    """Whether it can be a position in a string."""
    return is_finite(value) and int(value) == value
