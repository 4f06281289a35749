"""Counts of what was labelled, of any number of pictures in constant memory."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glip.datasets.converters.output import compact_json
from glip.teach.pseudo_labels.labeller import Labelled

_BINS = 20  # of the scores
_MOST_BOXES = 10  # boxes of a phrase that are counted apart
_PHRASES = 20_000  # that are remembered between two shares
_SHOWN = 50  # commonest phrases in a summary
_PICTURES = 100  # drawn for the page
_EXAMPLES = 4  # places of each reason


@dataclass
class Statistics:
    """Counts of some pictures.

    Of phrases only the commonest are remembered from share to share; their counts are
    exact up to 20,000 different phrases.

    Attributes:
        counts: Pictures, captions, records, phrases and boxes.
        scores: Boxes in each twentieth of the scores from 0 to 1.
        boxes_per_phrase: Number of boxes, at most 10 -> phrases.
        with_boxes: Phrase in lower case -> how often it has a box.
        without_boxes: The same for those without.
        stopped: Boxes that each screen stopped.
        dropped: Reason -> count and first places.
        drawn: Pictures for the page: number of the draw, then what is shown.
    """

    counts: Counter[str] = field(default_factory=Counter)
    scores: list[int] = field(default_factory=lambda: [0] * _BINS)
    boxes_per_phrase: Counter[int] = field(default_factory=Counter)
    with_boxes: Counter[str] = field(default_factory=Counter)
    without_boxes: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    dropped: dict[str, list[Any]] = field(default_factory=dict)
    drawn: list[list[Any]] = field(default_factory=list)

    def add(
        self, labelled: Labelled, *, share: int, number: int, seed: int, drawn: int
    ) -> None:
        """Count one picture.

        Args:
            labelled: What became of it.
            share: Its share.
            number: Its number there.
            seed: Of the draw of pictures for the page.
            drawn: How many of them to keep.
        """
        self.counts['pictures'] += bool(labelled.records)
        self.stopped += labelled.stopped
        for reason, where in labelled.notes:
            self._drop(reason, 1, [where])
        for record, absent in zip(labelled.records, labelled.absent, strict=True):
            self._count(record, absent)
        if labelled.records:
            key = hashlib.blake2b(f'{seed} {share} {number}'.encode(), digest_size=8)
            pairs = [list(pair) for pair in zip(labelled.records, labelled.absent)]
            self.draw([[key.hexdigest(), share, number, pairs]], drawn)

    def _count(self, record: Mapping[str, Any], absent: list[Any]) -> None:
        """Count one record."""
        if 'grounding' in record:
            caption = record['grounding']['caption']
            boxes = {
                tuple(map(tuple, region['tokens_positive'])): _scores(region)
                for region in record['grounding']['regions']
            }
            present = [
                (caption[spans[0][0] : spans[-1][1]], scores)
                for spans, scores in boxes.items()
            ]
            missing = [caption[begin:end] for begin, end in absent]
            self.counts['captions'] += 1
        else:
            by_name: dict[str, list[float]] = {}
            for instance in record['detection']['instances']:
                by_name.setdefault(instance['category'], []).append(instance['score'])
            present, missing = list(by_name.items()), absent
        total = sum(len(scores) for _, scores in present)
        self.counts['records'] += bool(total) or 'detection' in record
        self.counts['boxes'] += total
        self.counts['phrases'] += len(present) + len(missing)
        self.counts['phrases_without_boxes'] += len(missing)
        if 'grounding' in record and not total:
            self.counts['captions_without_boxes'] += 1
        for phrase, scores in present:
            self.with_boxes[phrase.lower()] += 1
            self.boxes_per_phrase[min(len(scores), _MOST_BOXES)] += 1
            for score in scores:
                self.scores[min(int(score * _BINS), _BINS - 1)] += 1
        self.boxes_per_phrase[0] += len(missing)
        self.without_boxes.update(phrase.lower() for phrase in missing)

    def merge(self, other: Statistics) -> None:
        """Take another share in."""
        self.counts += other.counts
        self.scores = [a + b for a, b in zip(self.scores, other.scores, strict=True)]
        self.boxes_per_phrase += other.boxes_per_phrase
        for mine, theirs in (
            (self.with_boxes, other.with_boxes),
            (self.without_boxes, other.without_boxes),
        ):
            mine.update(theirs)
            if len(mine) > 2 * _PHRASES:
                kept = _commonest(mine, _PHRASES)
                mine.clear()
                mine.update(kept)
        self.stopped += other.stopped
        for reason, (count, places) in other.dropped.items():
            self._drop(reason, count, places)
        self.draw(other.drawn, _PICTURES)

    def _drop(self, reason: str, count: int, places: list[str]) -> None:
        entry = self.dropped.setdefault(reason, [0, []])
        entry[0] += count
        entry[1] = [*entry[1], *places][:_EXAMPLES]

    def draw(self, drawn: list[list[Any]], most: int) -> None:
        """Keep those with the least numbers, whatever the order they come in."""
        self.drawn = sorted(self.drawn + drawn, key=lambda entry: entry[:3])[:most]

    def to_json(self) -> str:
        """For :meth:`from_json`."""
        fields = vars(self) | {
            'with_boxes': _commonest(self.with_boxes, _PHRASES),
            'without_boxes': _commonest(self.without_boxes, _PHRASES),
        }
        return compact_json(fields)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Statistics:
        """What :meth:`to_json` wrote."""
        per_phrase = {int(k): v for k, v in fields['boxes_per_phrase'].items()}
        return cls(
            Counter(fields['counts']),
            fields['scores'],
            Counter(per_phrase),
            Counter(fields['with_boxes']),
            Counter(fields['without_boxes']),
            Counter(fields['stopped']),
            fields['dropped'],
            fields['drawn'],
        )

    def summary(self) -> dict[str, Any]:
        """What a reader wants to know."""
        names = ('pictures', 'captions', 'captions_without_boxes', 'records')
        pictures = self.counts['pictures']
        phrases = self.counts['phrases']
        without = self.counts['phrases_without_boxes']
        return {
            **{name: self.counts[name] for name in names},
            'phrases': phrases,
            'phrases_with_boxes': phrases - without,
            'phrases_without_boxes': without,
            'boxes': self.counts['boxes'],
            'boxes_per_picture': round(self.counts['boxes'] / max(pictures, 1), 3),
            'screened': dict(sorted(self.stopped.items())),
            'dropped': {
                reason: {'count': count, 'examples': places}
                for reason, (count, places) in sorted(self.dropped.items())
            },
            'score_histogram': {
                'edges': [round(i / _BINS, 4) for i in range(_BINS + 1)],
                'counts': self.scores,
            },
            'boxes_per_phrase': {
                f'{n}{"+" * (n == _MOST_BOXES)}': self.boxes_per_phrase[n]
                for n in range(_MOST_BOXES + 1)
            },
            'common_phrases_with_boxes': _ranked(self.with_boxes),
            'common_phrases_without_boxes': _ranked(self.without_boxes),
        }

    def dropped_in_words(self) -> str:
        """Each reason with its count and first places."""
        parts = []
        for reason, (count, places) in sorted(self.dropped.items()):
            more = ', ...' if count > len(places) else ''
            parts.append(f'{count} {reason} ({", ".join(places)}{more})')
        return '; '.join(parts)


def drawn_of_each(shares: int) -> int:
    """Pictures that each of several shares keeps, so that surely 100 are kept."""
    return min(_PICTURES, 10 + 4 * _PICTURES // shares)


def _scores(region: Mapping[str, Any]) -> list[float]:
    return region['scores'] if 'scores' in region else [region['score']]


def _order(entry: tuple[str, int]) -> tuple[int, str]:
    return -entry[1], entry[0]


def _commonest(counts: Counter[str], number: int) -> Counter[str]:
    """The commonest, in an order that does not depend on where they came from."""
    return Counter(dict(sorted(counts.items(), key=_order)[:number]))


def _ranked(counts: Counter[str]) -> list[list[Any]]:
    return [list(entry) for entry in _commonest(counts, _SHOWN).items()]
