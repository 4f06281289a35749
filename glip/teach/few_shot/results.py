"""Results of few-shot runs: kept by task, and all together as a table."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from glip.errors import DatasetError
from glip.evaluation.set_table import aligned
from glip.runtime.writing import write_json, write_tables
from glip.teach.few_shot.draws import shortage
from glip.teach.few_shot.tasks import ALL, Shots, shots_order

RESULT = 'result.json'
_TUNINGS = ('full', 'prompt', 'linear_probe', 'language')


@dataclass(frozen=True)
class Result:
    """What one task came to.

    Attributes:
        set: Name of the data set.
        shots: Pictures of each class, 0, or ``'all'``.
        tuning: What was trained; None without training.
        seed: Of draw and training; None without training.
        AP: COCO AP on the test split, 0 to 1.
        AP50: The same at an IoU of 0.5.
        tested: Split and number of pictures it was measured on.
        pictures: How many were trained on.
        short: Class -> in how many pictures it is, where these are fewer than asked
            for.
        val_AP: COCO AP on the validation split at the best epoch.
        epoch: The best one.
        epochs: How many were trained.
        max_epochs: How many it could have been.
        seconds: How long it took.
        weights: Those of the best epoch, or the part of them that was tuned, below the
            work directory.
        annotations: Fingerprint of the annotation files.
    """

    set: str
    shots: Shots
    AP: float
    AP50: float
    tested: str
    annotations: str
    tuning: str | None = None
    seed: int | None = None
    pictures: int = 0
    short: Mapping[str, int] = field(default_factory=dict)
    val_AP: float | None = None
    epoch: int | None = None
    epochs: int = 0
    max_epochs: int = 0
    seconds: float = 0.0
    weights: str | None = None

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Write ``result.json``; from then on the task is done."""
        write_json(Path(folder, RESULT), asdict(self))

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Result | None:
        """The result in a task's folder, None where there is none yet.

        Raises:
            DatasetError: The file is something else.
        """
        path = Path(folder, RESULT)
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
            return cls(**{f.name: content[f.name] for f in fields(cls)})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DatasetError(
                f'{path} is no result of a few-shot run; delete it to run this task '
                'again'
            ) from error


@dataclass(frozen=True)
class Cell:
    """Results that differ by their seed alone.

    Attributes:
        results: One or several.
    """

    results: tuple[Result, ...]

    def mean(self, key: str = 'AP') -> float:
        """Over the seeds."""
        return statistics.fmean(getattr(r, key) for r in self.results)

    def spread(self, key: str = 'AP') -> float | None:
        """Standard deviation over the seeds (n - 1), None for a single one."""
        values = [getattr(r, key) for r in self.results]
        return statistics.stdev(values) if len(values) > 1 else None


@dataclass(frozen=True)
class Curve:
    """Mean over all sets of one tuning by shots.

    Attributes:
        tuning: What was trained.
        shots: Where every set has a result.
        means: AP, 0 to 1.
        spreads: Standard deviation over the seeds of the mean, None for a single seed.
    """

    tuning: str
    shots: tuple[Shots, ...]
    means: tuple[float, ...]
    spreads: tuple[float | None, ...]


@dataclass(frozen=True)
class FewShotTable:
    """All results of a work directory.

    Attributes:
        results: One for each task that is done.
        about: What was run, for the JSON file.
        notes: What a reader has to know: sets left out, tasks that failed.
    """

    results: tuple[Result, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def sets(self) -> list[str]:
        """Names, in order of appearance."""
        return list(dict.fromkeys(r.set for r in self.results))

    @property
    def shots(self) -> list[Shots]:
        """From few to all."""
        return sorted({r.shots for r in self.results}, key=shots_order)

    @property
    def tunings(self) -> list[str]:
        """Of the trained ones, the larger share of the model first."""
        present = {r.tuning for r in self.results if r.tuning}
        known = [tuning for tuning in _TUNINGS if tuning in present]
        return known + sorted(present - {*known})

    def cell(self, name: str, tuning: str, shots: Shots) -> Cell | None:
        """Results of a set; without training they are those of every tuning."""
        chosen = [
            r
            for r in self.results
            if r.set == name and r.shots == shots and r.tuning in (tuning, None)
        ]
        return Cell(tuple(chosen)) if chosen else None

    def curve(self, tuning: str, sets: Sequence[str] | None = None) -> Curve:
        """Means over sets, wherever all of them have a result.

        Args:
            tuning: What was trained.
            sets: Which; by default all.
        """
        points = []
        for shots in self.shots:
            cells = [self.cell(n, tuning, shots) for n in sets or self.sets]
            there = [cell for cell in cells if cell is not None]
            if there and len(there) == len(cells):
                points.append((shots, *_mean_of_sets(there)))
        columns = tuple(zip(*points, strict=True)) or ((), (), ())
        return Curve(tuning, *columns)

    def markdown(self) -> str:
        """AP in percent, a line for each set and tuning, as in the paper."""
        lines = [['set', 'tuning', *map(str, self.shots)]]
        means = [None] if len(self.sets) > 1 else []
        for name in [*self.sets, *means]:
            for tuning in self.tunings or ['-']:
                curve = self.curve(tuning, [name] if name else None)
                shown = {
                    shots: _shown(mean, spread)
                    for shots, mean, spread in zip(
                        curve.shots, curve.means, curve.spreads, strict=True
                    )
                }
                label = name or f'**mean of {len(self.sets)} sets**'
                cells = [shown.get(shots, '-') for shots in self.shots]
                lines.append([label, tuning, *cells])
        return aligned(lines, left=2) + '\n\n' + '\n'.join(self._remarks()) + '\n'

    def rows(self) -> list[dict[str, Any]]:
        """Mean and spread of each set, number of shots and tuning; AP from 0 to 1."""
        rows = []
        for name in self.sets:
            for shots in self.shots:
                for tuning in ['-'] if shots == 0 else self.tunings:
                    cell = self.cell(name, tuning, shots)
                    if cell is not None:
                        rows.append(_row(name, shots, tuning, cell))
        return rows

    def json(self) -> dict[str, Any]:
        """Rows, means over sets, and each result by its own."""
        means = [
            {'tuning': c.tuning, 'shots': shots, 'AP': mean, 'AP_std': spread}
            for c in map(self.curve, self.tunings)
            for shots, mean, spread in zip(c.shots, c.means, c.spreads, strict=True)
        ]
        return {
            **self.about,
            'mean': means,
            'rows': self.rows(),
            'results': [asdict(r) for r in self.results],
            'notes': list(self.notes),
        }

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write ``few_shot.md``, ``few_shot.csv`` and ``few_shot.json``.

        Raises:
            ConfigError: The folder cannot be written to.
        """
        rows = self.rows()
        return write_tables(
            *(folder, 'few_shot'),
            markdown=self.markdown(),
            head=list(rows[0]),
            rows=[list(row.values()) for row in rows],
            content=self.json(),
        )

    def _remarks(self) -> Iterable[str]:
        """Lines below the table."""
        yield (
            'COCO AP in percent by pictures of each class; ± is the standard deviation '
            'over the seeds. Best epoch by the validation split, measured on:'
        )
        for name in self.sets:
            tested = next(r.tested for r in self.results if r.set == name)
            yield f'- {name}: {tested}'
        longest = {r.shots: r.max_epochs for r in self.results if r.shots != 0}
        if longest:
            listed = ', '.join(f'{s}: {longest[s]}' for s in self.shots if s in longest)
            yield f'- epochs at most, by shots: {listed}'
        short = {
            (r.set, name): count
            for r in sorted(self.results, key=lambda r: shots_order(r.shots))
            if r.shots != ALL
            for name, count in r.short.items()
        }
        for (set_name, name), count in short.items():
            yield f'- {set_name}: {shortage(name, count)}'
        yield from (f'- {note}' for note in self.notes)


def _mean_of_sets(cells: Sequence[Cell]) -> tuple[float, float | None]:
    """Mean over sets, and its deviation over the seeds that all of them have."""
    mean = statistics.fmean(cell.mean() for cell in cells)
    by_seed = [{r.seed: r.AP for r in cell.results} for cell in cells]
    seeds = set.intersection(*({*values} for values in by_seed))
    means = [statistics.fmean(v[seed] for v in by_seed) for seed in seeds]
    return mean, statistics.stdev(means) if len(means) > 1 else None


def _row(name: str, shots: Shots, tuning: str, cell: Cell) -> dict[str, Any]:
    return {
        'set': name,
        'shots': shots,
        'tuning': tuning,
        'seeds': len(cell.results),
        'AP': cell.mean('AP'),
        'AP_std': cell.spread('AP'),
        'AP50': cell.mean('AP50'),
        'AP50_std': cell.spread('AP50'),
        'pictures': statistics.fmean(r.pictures for r in cell.results),
        'epochs': statistics.fmean(r.epochs for r in cell.results),
        'max_epochs': max(r.max_epochs for r in cell.results),
    }


def _shown(mean: float, spread: float | None) -> str:
    text = f'{100 * mean:.1f}'
    return text if spread is None else f'{text} ± {100 * spread:.1f}'
