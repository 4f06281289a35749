"""How far a labelling is, with what it finds."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from glip.runtime.progress import progress_bar
from glip.teach.pseudo_labels.items import Item, Share, Source
from glip.teach.pseudo_labels.labeller import Labelled

_BAR = '{l_bar}{bar}| {n_fmt}/{total_fmt}{unit} [{elapsed}, ETA {remaining}{postfix}]'


class Progress:
    """A bar over all shares, those of other processes as they are done.

    Args:
        source: Whose shares they are.
        shown: False for a process that says nothing.
    """

    def __init__(self, source: Source, *, shown: bool) -> None:
        in_bytes = source.unit == 'bytes'
        self._bar = progress_bar(
            total=sum(share.weight for share in source.shares),
            desc='labels',
            unit='B' if in_bytes else f' {source.unit}',
            unit_scale=in_bytes,
            bar_format=_BAR,
            disable=not shown,
        )
        self._counts: Counter[str] = Counter()
        self._passed: Counter[int] = Counter()  # weight of each share so far
        self._start = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.close()

    def pass_over(self, share: Share, weight: int) -> None:
        """Note what an earlier process has labelled."""
        self._advance(share, weight)
        self._bar.initial = self._bar.n  # ETA: nothing of it took time now

    def add(self, share: Share, item: Item, labelled: Labelled) -> None:
        """Note a picture."""
        self._counts['pictures'] += item.picture is not None
        for record, absent in zip(labelled.records, labelled.absent, strict=True):
            boxes, phrases = _size(record)
            self._counts['boxes'] += boxes
            self._counts['phrases'] += phrases + len(absent)
            self._counts['absent'] += len(absent)
        pictures = self._counts['pictures']
        phrases = self._counts['phrases']
        seconds = time.monotonic() - self._start
        self._bar.set_postfix_str(
            f'{pictures / max(seconds, 1e-9):.1f} pictures/s, '
            f'{self._counts["boxes"] / max(pictures, 1):.2f} boxes/picture, '
            f'{self._counts["absent"] / max(phrases, 1):.0%} of phrases without a box',
            refresh=False,
        )
        self._advance(share, item.weight)

    def finish(self, share: Share) -> None:
        """Note that a share is done, by whomever."""
        self._advance(share, share.weight - self._passed[share.number])

    def _advance(self, share: Share, weight: int) -> None:
        # Heads of members and blank lines have no part in the weights of items.
        left = share.weight - self._passed[share.number]
        step = max(min(weight, left), 0)
        self._passed[share.number] += step
        self._bar.update(step)


def _size(record: dict[str, Any]) -> tuple[int, int]:
    """Boxes of a record, and phrases or classes that have some."""
    if 'detection' in record:
        instances = record['detection']['instances']
        return len(instances), len({one['label'] for one in instances})
    regions = record['grounding']['regions']
    return sum(len(r.get('scores', (0,))) for r in regions), len(regions)
