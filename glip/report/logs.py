"""Training logs: curves of any value, and how long an iteration takes."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glip.errors import DatasetError
from glip.received import check_is_file, parse_json

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
        matches = [key for key in keys if key.rpartition('/')[2] == name]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise DatasetError(
                f'{self.path} has several {name}: {", ".join(matches)}; name one'
            )
        close = difflib.get_close_matches(name, keys, n=1)
        hint = f'; did you mean {close[0]}?' if close else ''
        some = ', '.join(keys[:_SHOWN]) + (', ...' if len(keys) > _SHOWN else '')
        raise DatasetError(f'{self.path} has no {name}{hint} (it has {some})')

    def curve(
        self, name: str, *, start_epoch: int = 1
    ) -> tuple[str, np.ndarray, np.ndarray]:
        """Values of a key, see :meth:`key_of`, from an epoch on.

        Returns:
            What the values are over, ``'iter'`` or ``'epoch'``; where; and the values.

        Raises:
            DatasetError: There are none.
        """
        key = self.key_of(name)
        by_epoch = any('epoch' in entry for entry in self.entries)
        points, over = [], 'iter'
        for entry, step, epoch in self._dated():
            if key not in entry or epoch < start_epoch:
                continue
            if 'iter' not in entry and by_epoch:  # results of a validation
                over = 'epoch'
            points.append((step, entry[key]))
        if not points:
            raise DatasetError(
                f'{self.path} has no {key} from epoch {start_epoch} on: give an '
                'earlier --start-epoch'
            )
        steps, values = np.array(points).T
        return over, steps, values

    def epochs(self, *, include_outliers: bool = False) -> dict[int, np.ndarray]:
        """Seconds per iteration, by epoch; training by iterations is one epoch.

        The first line of each epoch, which has the loading of the first pictures in
        it, is an outlier.

        Raises:
            DatasetError: There are none.
        """
        times: dict[int, list[float]] = {}
        for entry, _, epoch in self._dated():
            if 'time' in entry and 'iter' in entry:
                times.setdefault(epoch, []).append(entry['time'])
        if not times:
            raise DatasetError(f'{self.path} has no time of any iteration')
        if not include_outliers:
            times = {epoch: part[1:] for epoch, part in times.items() if part[1:]}
            if not times:
                raise DatasetError(
                    f'{self.path} has one line per epoch, which is taken for an '
                    'outlier: add --include-outliers, or log more often '
                    '(default_hooks.logger.interval)'
                )
        return {epoch: np.array(part) for epoch, part in times.items()}

    def by_step(self) -> Iterator[tuple[int, Mapping[str, float]]]:
        """Each entry with its training step; of results, that of the losses before."""
        step = None
        for entry in self.entries:
            if 'loss' in entry:
                step = int(entry.get('iter', entry['step']))
            yield (int(entry.get('step', 0)) if step is None else step), entry

    def _dated(self) -> Iterator[tuple[Mapping[str, float], float, int]]:
        """Each entry with its step and epoch; the step of results is their epoch."""
        step, epoch = 0.0, 1
        for entry in self.entries:
            epoch = int(entry.get('epoch', epoch))
            step = entry.get('step', step)
            yield entry, step, epoch


def read_log(path: str | os.PathLike[str]) -> TrainingLog:
    """Read the log of a run.

    Args:
        path: ``vis_data/scalars.json`` or ``vis_data/<time>.json``; also a work
            directory or one of its runs, of which the latest is taken.

    Raises:
        DatasetError: There is none, or it holds something else.
    """
    file = Path(path)
    if file.is_dir():
        depths = ('*/vis_data/scalars.json', 'vis_data/scalars.json', 'scalars.json')
        below = [log for depth in depths for log in file.glob(depth)]
        if not below:
            raise DatasetError(
                f'{file} has no log of a training (<time>/vis_data/scalars.json)'
            )
        file = max(below, key=str)
    try:
        entries = read_entries(file)
    except FileNotFoundError as error:
        raise DatasetError(f'log {file} does not exist') from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f'log {file} cannot be read as text: {error}') from error
    if not entries:
        raise DatasetError(
            f'{file} is no log of a training: give the scalars.json in vis_data, which '
            'has a JSON mapping in each line'
        )
    return TrainingLog(file, entries)


def time_lines(log: TrainingLog, *, include_outliers: bool = False) -> list[str]:
    """What ``cal_train_time`` says of a run, see :meth:`TrainingLog.epochs`."""
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


def read_entries(file: Path) -> tuple[dict[str, float], ...]:
    """The numbers of each line of a scalar file; lines cut off have none.

    Raises:
        OSError: The file cannot be read.
        UnicodeDecodeError: It is no text.
    """
    check_is_file(file)
    entries = map(_numbers, file.read_text(encoding='utf-8').splitlines())
    return tuple(entry for entry in entries if entry)


def _numbers(line: str) -> dict[str, float]:
    try:
        content: Any = parse_json(line)
    except json.JSONDecodeError:
        return {}
    entries = content.items() if isinstance(content, dict) else ()
    return {key: value for key, value in entries if type(value) in (int, float)}
