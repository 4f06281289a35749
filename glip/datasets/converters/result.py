"""What a conversion reports when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from glip.datasets.sample import Dropped
from glip.errors import DatasetError


@dataclass(frozen=True)
class Result:
    """What was written, and what was not.

    Attributes:
        path: The file that was written.
        written: What is in it -> how many, such as ``{'pictures': 3, 'boxes': 5}``.
        dropped: What of the source is not in it, and why.
        others: Further files that were written.
        notes: Further lines worth reading.
    """

    path: str
    written: Mapping[str, int]
    dropped: Dropped
    others: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The report."""
        counts = ', '.join(f'{number} {what}' for what, number in self.written.items())
        lines = [f'{self.path}: wrote {counts}']
        lines += [f'{path}: written as well' for path in self.others]
        return [*lines, *self.notes, self.dropped.summary()]


def require(number: int, dropped: Dropped) -> None:
    """Stop before a file without content is written.

    Raises:
        DatasetError: ``number`` of records is zero.
    """
    if not number:
        raise DatasetError(f'nothing to write: {dropped.summary()}')
