"""Rounds of self-training as tables and as a curve."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from glip.evaluation.set_table import aligned, heading, shown_value
from glip.report.figures import legend_beside, new_figure, save_figure
from glip.runtime.writing import write_tables, writing_to

_COUNTS = ('pictures', 'phrases', 'boxes')


@dataclass(frozen=True)
class Round:
    """One model: the first teacher, or the student of a round.

    Attributes:
        number: 0 for the first teacher.
        teacher: Name of the model whose labels the student saw.
        results: By name.
        won: Whether the student was better than its teacher.
        labels: What is known of the labels.
    """

    number: int
    teacher: str | None
    results: Mapping[str, float]
    won: bool | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the model is called."""
        return f'student {self.number}' if self.number else 'first teacher'


def write_rounds(
    rounds: Sequence[Round],
    folder: str | os.PathLike[str],
    metric: str,
    *,
    best: str,
) -> list[Path]:
    """Write ``rounds.md``, ``rounds.csv`` and ``rounds.json``.

    Args:
        rounds: The first teacher and its students.
        folder: Created where it is missing.
        metric: The result that decides.
        best: Weights of the best model so far, for the JSON file.

    Raises:
        ConfigError: The folder cannot be written to.
    """
    keys = _shown_keys(rounds, metric)
    content = {
        'metric': metric,
        'best': best,
        'rounds': [asdict(entry) for entry in rounds],
    }
    rows = [
        [
            *(entry.number, entry.teacher),
            *(entry.labels.get(key) for key in _COUNTS),
            *(entry.results.get(key) for key in keys),
            entry.won,
        ]
        for entry in rounds
    ]
    return write_tables(
        *(folder, 'rounds'),
        markdown=aligned(_lines(rounds, keys)),
        head=['round', 'teacher', *_COUNTS, *keys, 'won'],
        rows=rows,
        content=content,
    )


def draw_rounds(
    rounds: Sequence[Round], folder: str | os.PathLike[str], metric: str
) -> Path:
    """Draw ``rounds.png``: results over rounds, a ring around each that teaches.

    The arguments are those of :func:`write_rounds`.

    Raises:
        ConfigError: The folder cannot be written to.
    """
    figure, ax = new_figure(7.2, 4.2)
    numbers = [entry.number for entry in rounds]
    for key in _shown_keys(rounds, metric):
        shown = [_shown(entry, key) for entry in rounds]
        values = [float('nan' if value == '-' else value) for value in shown]
        style = dict(lw=2.2) if key == metric else dict(lw=1, alpha=0.6)
        ax.plot(numbers, values, marker='o', label=_column(key), **style)
        if key == metric:
            teaching = [i for i, e in enumerate(rounds) if e.won is not False]
            ring = dict(ms=13, mfc='none', color='black', label='teaches')
            ax.plot(numbers, values, 'o', markevery=teaching, **ring)
    ax.set(xlabel='round', xticks=numbers)
    ax.set_title('Students of self-training', loc='left')
    ax.grid(alpha=0.3)
    legend_beside(ax, '')
    with writing_to(folder, 'the rounds'):
        return save_figure(figure, Path(folder, 'rounds.png'))


def _shown_keys(rounds: Sequence[Round], metric: str) -> list[str]:
    """The deciding result first, then those that tables have a heading for."""
    known = [key for key in rounds[0].results if heading(key) != key]
    return [metric, *(key for key in known if key != metric)]


def _column(key: str) -> str:
    """Heading of a result, with the set that it is of."""
    *parts, _ = key.split('/')
    of = ' '.join(part for part in parts if part not in ('coco', 'flickr30k', 'lvis'))
    return f'{of} {heading(key)}'.strip()


def _lines(rounds: Sequence[Round], keys: Sequence[str]) -> list[list[str]]:
    counts = [key for key in _COUNTS if any(key in entry.labels for entry in rounds)]
    names = [f'labelled {key}' for key in counts]
    lines = [['model', 'labels of', *names, *map(_column, keys), 'won']]
    for entry in rounds:
        lines.append(
            [
                entry.name,
                entry.teacher or '-',
                *(str(entry.labels.get(key, '-')) for key in counts),
                *(_shown(entry, key) for key in keys),
                {None: '-', True: 'yes', False: 'no'}[entry.won],
            ]
        )
    return lines


def _shown(entry: Round, key: str) -> str:
    """A result in the table's units; -1 stands for nothing to find."""
    value = entry.results.get(key, -1)
    return shown_value(None if value < 0 else value, key)
