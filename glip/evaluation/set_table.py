"""Results of many data sets in one table, with their mean."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from terminaltables import GithubFlavoredMarkdownTable

from glip.errors import DatasetError
from glip.received import check_is_file, parse_json
from glip.runtime.writing import write_tables

# Name of a result -> heading, and what makes percent of it.
_HEADINGS = {
    'bbox_mAP': ('AP', 100),
    'bbox_mAP_50': ('AP50', 100),
    'bbox_AP': ('AP', 100),
    'bbox_AP50': ('AP50', 100),
    'R@1': ('R@1', 1),
    'R@5': ('R@5', 1),
    'R@10': ('R@10', 1),
}


@dataclass(frozen=True)
class SetRow:
    """One data set.

    Attributes:
        name: In the table.
        values: Its results by name; -1 where there is nothing to find.
        pictures: How many were evaluated.
        absent: What was looked for and is not there, of a set that was not evaluated.
        details: What else is known, for the JSON file: ``classes`` with the AP of
            each by name, the split, the prompts.
    """

    name: str
    values: Mapping[str, float] = field(default_factory=dict)
    pictures: int = 0
    absent: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def value(self, key: str) -> float | None:
        """A result, or None where it does not exist or nothing was to be found."""
        value = self.values.get(key, -1)
        return None if value < 0 or math.isnan(value) else float(value)


@dataclass(frozen=True)
class SetTable:
    """All sets of a run, in the order of the config.

    Attributes:
        rows: One for each, those that are absent among them.
        about: What was run, for the JSON file.
    """

    rows: tuple[SetRow, ...]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[str, ...]:
        """Results that are shown: AP and AP50 or recalls, else what all sets have."""
        present = [row.values for row in self.rows if row.absent is None]
        common = [k for k in (present or [{}])[0] if all(k in v for v in present)]
        known = [key for key in common if _tail(key) in _HEADINGS]
        return tuple(known or common)

    @property
    def has_ap(self) -> bool:
        """Whether the first two results are AP and AP50 of some set."""
        headings = [_plain(key) for key in self.keys[:2]]
        return headings == ['AP', 'AP50'] and self.counted > 0

    @property
    def counted(self) -> int:
        """Sets that enter the mean of the first result."""
        first = self.keys[:1]
        return sum(row.value(key) is not None for row in self.rows for key in first)

    @property
    def label(self) -> str:
        """What the mean is over."""
        total = len(self.rows)
        of = '' if self.counted == total else f'{self.counted} of '
        return f'mean of {of}{total} {"set" if total == 1 else "sets"}'

    def mean(self, key: str) -> float | None:
        """Plain mean over the sets that have this result, as in the paper."""
        values = [v for row in self.rows if (v := row.value(key)) is not None]
        return math.fsum(values) / len(values) if values else None

    def markdown(self) -> str:
        """A table in percent, with the mean as its last line."""
        lines = [['set', 'pictures', *map(heading, self.keys)]]
        splits = {row.details.get('split') for row in self.rows if row.absent is None}
        for row in self.rows:
            split = row.details.get('split') if len(splits) > 1 else None
            name = f'{row.name} ({split})' if split else row.name
            cells = [shown_value(row.value(key), key) for key in self.keys]
            if row.absent is not None:
                cells = ['absent', *['-'] * (len(self.keys) - 1)]
            lines.append([name, str(row.pictures or '-'), *cells])
        total = sum(row.pictures for row in self.rows)
        means = [shown_value(self.mean(key), key) for key in self.keys]
        lines.append([f'**{self.label}**', str(total), *means])
        return aligned(lines)

    def json(self) -> dict[str, Any]:
        """Rows, mean and description for a JSON file; None where there is no number."""
        sets = []
        for row in self.rows:
            if row.absent is not None:
                sets.append({'name': row.name, 'absent': row.absent, **row.details})
                continue
            shown = {_plain(key): row.value(key) for key in self.keys}
            results = {key: row.value(key) for key in row.values}
            entry = {'name': row.name, 'pictures': row.pictures, **shown}
            sets.append({**entry, 'results': results, **row.details})
        means = {_plain(key): self.mean(key) for key in self.keys}
        mean = {**means, 'sets': self.counted, 'of': len(self.rows)}
        return _without_nan({**self.about, 'mean': mean, 'sets': sets})

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write ``sets.md``, ``sets.csv`` and ``sets.json``.

        Raises:
            ConfigError: The folder cannot be written to.
        """
        rows = [
            [row.name, row.pictures, *map(row.value, self.keys), row.absent]
            for row in self.rows
        ]
        total = sum(row.pictures for row in self.rows)
        rows.append([self.label, total, *map(self.mean, self.keys), None])
        return write_tables(
            *(folder, 'sets'),
            markdown=self.markdown(),
            head=['set', 'pictures', *map(_plain, self.keys), 'absent'],
            rows=rows,
            content=self.json(),
        )


def read_table(path: str | os.PathLike[str]) -> SetTable:
    """The table of a ``sets.json``.

    Args:
        path: The file, or the work directory of runs, of which the latest counts.

    Raises:
        DatasetError: There is none, or it is something else.
    """
    path = Path(path)
    if path.is_dir():
        files = [*path.glob('sets.json'), *path.glob('*/sets.json')]
        if not files:
            raise DatasetError(
                f'{path} has no sets.json, neither itself nor in a run below it; '
                'tools/test.py with several sets writes one'
            )
        path = max(files, key=lambda file: file.stat().st_mtime)
    try:
        check_is_file(path)
        content = parse_json(path.read_text(encoding='utf-8'))
        rows = [_row(entry) for entry in content['sets']]
    except OSError as error:
        raise DatasetError(f'{path} cannot be read: {error.strerror}') from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f'{path} is no table that tools/test.py wrote') from error
    about = {k: v for k, v in content.items() if k not in ('sets', 'mean')}
    return SetTable(tuple(rows), about)


def joined(tables: Sequence[SetTable]) -> SetTable:
    """One table of all sets, each with what its run was.

    Raises:
        DatasetError: Two have a set of the same name.
    """
    rows: dict[str, SetRow] = {}
    for table in tables:
        for row in table.rows:
            if row.name in rows:
                raise DatasetError(
                    f'the set {row.name} is in two of the tables; join tables of '
                    'different sets'
                )
            rows[row.name] = replace(row, details={**table.about, **row.details})
    return SetTable(tuple(rows.values()))


def _row(entry: Mapping[str, Any]) -> SetRow:
    results = entry.get('results', {})
    known = {'name', 'pictures', 'absent', 'results', *map(_plain, results)}
    return SetRow(
        name=entry['name'],
        values={key: -1.0 if v is None else float(v) for key, v in results.items()},
        pictures=int(entry.get('pictures', 0)),
        absent=entry.get('absent'),
        details={key: value for key, value in entry.items() if key not in known},
    )


def _tail(key: str) -> str:
    return key.rpartition('/')[2]


def _plain(key: str) -> str:
    return _HEADINGS.get(_tail(key), (key, 1))[0]


def heading(key: str) -> str:
    """Heading of a result; its name where there is none."""
    return f'{_plain(key)}, %' if _tail(key) in _HEADINGS else key


def shown_value(value: float | None, key: str) -> str:
    """A result as tables show it, in percent where it has a heading."""
    if value is None:
        return '-'
    if _tail(key) not in _HEADINGS:
        return f'{value:.4g}'
    return f'{_HEADINGS[_tail(key)][1] * value:.1f}'


def aligned(lines: Sequence[Sequence[str]], left: int = 1) -> str:
    """A markdown table that can also be read as it is.

    Args:
        lines: The heading, then the rest.
        left: How many columns hold words; the others hold numbers.
    """
    cells = [[cell.replace('|', r'\|') for cell in line] for line in lines]
    table = GithubFlavoredMarkdownTable(cells)
    table.justify_columns = dict.fromkeys(range(left, len(lines[0])), 'right')
    return table.table


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value
