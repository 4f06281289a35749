"""Training logs: curves of any value, and how long an iteration takes."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glip.errors import ConfigError, DatasetError

_SHOWN = 20  # keys that a message lists


@dataclass(frozen=True)
class TrainingLog:
    """What one run logged, line by line.

    Attributes:
        path: The file.
        entries: Its lines in order, numbers only.
    """

    path: Path
    entries: tuple[Mapping[str, float], ...]

    @property
    def keys(self) -> list[str]:
        """Everything that was logged, in order of appearance."""
        return list(dict.fromkeys(key for entry in self.entries for key in entry))

    def key_of(self, name: str) -> str:
        """The key that is meant: itself, or the only one with it as last part.

        ``bbox_mAP`` so finds ``coco/bbox_mAP``.

        Raises:
            DatasetError: There is none, or several.
        """
        keys = self.keys
        if name in keys:
            return name
        found = [key for key in keys if key.rpartition('/')[2] == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise DatasetError(
                f'{self.path} has several {name}: {", ".join(found)}; name one'
            )
        close = difflib.get_close_matches(name, keys, n=1)
        hint = f'; did you mean {close[0]}?' if close else ''
        some = ', '.join(keys[:_SHOWN]) + (', ...' if len(keys) > _SHOWN else '')
        raise DatasetError(f'{self.path} has no {name}{hint} (it has {some})')

    def curve(
        self, name: str, *, start_epoch: int = 1
    ) -> tuple[str, np.ndarray, np.ndarray]:
        """Values of a key.

        Args:
            name: See :meth:`key_of`.
            start_epoch: Earlier epochs are left out.

        Returns:
            What the values are over, ``'iter'`` or ``'epoch'``; where; and the values.

        Raises:
            DatasetError: There is no such key, or nothing from that epoch on.
        """
        key = self.key_of(name)
        over = 'iter'
        by_epoch = any('epoch' in entry for entry in self.entries)
        places, values = [], []
        for entry, place, epoch in self._placed():
            if key not in entry or epoch < start_epoch:
                continue
            if 'iter' not in entry and by_epoch:  # results of a validation
                over = 'epoch'
            places.append(place)
            values.append(entry[key])
        if not places:
            raise DatasetError(
                f'{self.path} has no {key} from epoch {start_epoch} on: give an '
                'earlier --start-epoch'
            )
        return over, np.array(places), np.array(values)

    def epochs(self, *, include_outliers: bool = False) -> dict[int, np.ndarray]:
        """Seconds per iteration, by epoch; training by iterations is one epoch.

        Args:
            include_outliers: Also the first line of each epoch, which has the loading
                of the first pictures in it.

        Raises:
            DatasetError: There are none.
        """
        found: dict[int, list[float]] = {}
        for entry, _, epoch in self._placed():
            if 'time' in entry and 'iter' in entry:
                found.setdefault(epoch, []).append(entry['time'])
        if not found:
            raise DatasetError(f'{self.path} has no time of any iteration')
        if not include_outliers:
            found = {epoch: times[1:] for epoch, times in found.items()}
            found = {epoch: times for epoch, times in found.items() if times}
            if not found:
                raise DatasetError(
                    f'{self.path} has one line per epoch, which is taken for an '
                    'outlier: add --include-outliers, or log more often '
                    '(default_hooks.logger.interval)'
                )
        return {epoch: np.array(times) for epoch, times in found.items()}

    def _placed(self) -> list[tuple[Mapping[str, float], float, int]]:
        """Each entry with its place and epoch; the place of results is their epoch."""
        placed = []
        step, epoch = 0.0, 1
        for entry in self.entries:
            epoch = int(entry.get('epoch', epoch))
            step = entry.get('step', step)
            placed.append((entry, step, epoch))
        return placed


def read_log(path: str | os.PathLike[str]) -> TrainingLog:
    """Read the log of a run.

    Args:
        path: ``vis_data/scalars.json`` or ``vis_data/<time>.json``; also a work
            directory or one of its runs, of which the latest is taken.

    Raises:
        DatasetError: There is none, or it holds something else.
    """
    given = Path(path)
    file = given
    if given.is_dir():
        below = [*given.glob('*/vis_data/scalars.json')]
        below += [*given.glob('vis_data/scalars.json'), *given.glob('scalars.json')]
        if not below:
            raise DatasetError(
                f'{given} has no log of a training (<time>/vis_data/scalars.json)'
            )
        file = max(below, key=lambda found: str(found))
    try:
        text = file.read_text(encoding='utf-8')
    except FileNotFoundError as error:
        raise DatasetError(f'log {file} does not exist') from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f'log {file} cannot be read as text: {error}') from error
    entries = [_entry(line) for line in text.splitlines() if line.strip()]
    kept = tuple(entry for entry in entries if entry)
    if not kept:
        raise DatasetError(
            f'{file} is no log of a training: give the scalars.json in vis_data, which '
            'has a JSON mapping in each line'
        )
    return TrainingLog(file, kept)


def draw_keys(
    logs: Sequence[TrainingLog],
    keys: Sequence[str],
    out: str | os.PathLike[str],
    *,
    legend: Sequence[str] | None = None,
    title: str | None = None,
    style: str | None = None,
    start_epoch: int = 1,
) -> Path:
    """Draw values of one or several runs into one picture.

    Args:
        logs: The runs.
        keys: What to draw, see :meth:`TrainingLog.key_of`.
        out: Image file; its ending says the format.
        legend: A name for each key of the first run, then of the second and so on.
        title: Written above.
        style: One of matplotlib's.
        start_epoch: Earlier epochs are left out.

    Raises:
        ConfigError: The legend does not fit, matplotlib has no such style or format,
            or the file cannot be written.
        DatasetError: A run has no such key.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    wanted = len(logs) * len(keys)
    if legend is not None and len(legend) != wanted:
        raise ConfigError(
            f'--legend has {len(legend)} names for {len(keys)} keys of {len(logs)} '
            f'logs; give {wanted}'
        )
    names = list(legend or _names(logs, keys))
    known = matplotlib.style.available
    if style and style not in ('default', *known):
        close = difflib.get_close_matches(style, known, n=1)
        hint = f'; did you mean {close[0]}?' if close else ''
        raise ConfigError(f'matplotlib has no style {style}{hint}')
    curves = [log.curve(key, start_epoch=start_epoch) for log in logs for key in keys]
    with matplotlib.style.context(style or 'default'):
        figure = Figure(figsize=(8, 4.8), layout='constrained')
        ax = figure.subplots()
        for name, (over, places, values) in zip(names, curves):
            marker = 'o' if over == 'epoch' or len(places) < 3 else None
            ax.plot(places, values, label=name, marker=marker, markersize=4, lw=1.2)
        ax.set_xlabel(' / '.join(dict.fromkeys(over for over, _, _ in curves)))
        ax.set_title(title or '')
        ax.grid(alpha=0.3)
        ax.legend()
        try:
            figure.savefig(out, dpi=130)
        except (OSError, ValueError) as error:
            said = getattr(error, 'strerror', None) or ' '.join(str(error).split())
            raise ConfigError(f'cannot write {out}: {said}') from error
    return Path(out)


def time_lines(log: TrainingLog, *, include_outliers: bool = False) -> list[str]:
    """What ``cal_train_time`` says of a run.

    Args:
        log: The run.
        include_outliers: Count the first line of each epoch.

    Raises:
        DatasetError: There are no times.
    """
    by_epoch = log.epochs(include_outliers=include_outliers)
    means = {epoch: float(times.mean()) for epoch, times in by_epoch.items()}
    slowest = max(means, key=means.__getitem__)
    fastest = min(means, key=means.__getitem__)
    average = float(np.concatenate(list(by_epoch.values())).mean())
    return [
        f'-----Analyze train time of {log.path}-----',
        f'slowest epoch {slowest}, average time is {means[slowest]:.4f} s/iter',
        f'fastest epoch {fastest}, average time is {means[fastest]:.4f} s/iter',
        f'time std over epochs is {np.std(list(means.values())):.4f}',
        f'average iter time: {average:.4f} s/iter',
    ]


def _entry(line: str) -> dict[str, float]:
    """The numbers of a line; none of a line that was cut off or is something else."""
    try:
        content: Any = json.loads(line)
    except json.JSONDecodeError:
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        key: value
        for key, value in content.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _names(logs: Sequence[TrainingLog], keys: Sequence[str]) -> list[str]:
    """The keys, and of several runs where each lies."""
    if len(logs) == 1:
        return list(keys)
    runs = [
        log.path.parent.parent if log.path.parent.name == 'vis_data' else log.path
        for log in logs
    ]
    return [f'{run} {key}' for run in runs for key in keys]
