"""Figures of training logs: chosen values of some runs, or the whole of a training."""

from __future__ import annotations

import difflib
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from glip.errors import ConfigError, reason_of
from glip.report.figures import new_figure, save_figure
from glip.report.logs import TrainingLog, read_entries

Curve = dict[int, float]

# Results drawn, most telling first: total AP and recalls, not those of each class.
_RESULTS = ('mAP', 'AP', 'recall', 'R@', 'accuracy')
_MOST_CURVES = 10


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

    count = len(logs) * len(keys)
    if legend is not None and len(legend) != count:
        raise ConfigError(
            f'--legend has {len(legend)} names for {len(keys)} keys of {len(logs)} '
            f'logs; give {count}'
        )
    names = list(legend or _names(logs, keys))
    known = matplotlib.style.available
    if style and style not in ('default', *known):
        close = difflib.get_close_matches(style, known, n=1)
        hint = f'; did you mean {close[0]}?' if close else ''
        raise ConfigError(f'matplotlib has no style {style}{hint}')
    curves = [log.curve(key, start_epoch=start_epoch) for log in logs for key in keys]
    with matplotlib.style.context(style or 'default'):
        figure, ax = new_figure(8, 4.8)
        for name, (over, steps, values) in zip(names, curves):
            _draw_line(ax, name, steps, values, dotted=over == 'epoch')
        ax.set_xlabel(' / '.join(dict.fromkeys(over for over, _, _ in curves)))
        ax.set_title(title or '')
        ax.grid(alpha=0.3)
        ax.legend()
        try:
            return save_figure(figure, Path(out))
        except (OSError, ValueError) as error:
            raise ConfigError(f'cannot write {out}: {reason_of(error)}') from error


@dataclass
class Curves:
    """Values of a training by name and step, several runs joined."""

    losses: dict[str, Curve] = field(default_factory=lambda: defaultdict(dict))
    rates: dict[str, Curve] = field(default_factory=lambda: defaultdict(dict))
    results: dict[str, Curve] = field(default_factory=lambda: defaultdict(dict))

    def forget_from(self, step: int) -> None:
        """Drop what a run that went on from an earlier checkpoint did again."""
        for curves in (self.losses, self.rates, self.results):
            for curve in curves.values():
                for later in [s for s in curve if s >= step]:
                    del curve[later]


def read_curves(work_dir: str | Path) -> Curves:
    """What the runs in a work directory logged, by step.

    A later run replaces what earlier ones logged from its first step on.
    """
    curves = Curves()
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        log = TrainingLog(path, read_entries(path))
        first = min((e['iter'] for e in log.entries if 'iter' in e), default=None)
        if first is not None:
            curves.forget_from(first)
        for step, entry in log.by_step():
            if 'loss' in entry:
                for name, value in entry.items():
                    if 'loss' in name and name != 'loss_scale':
                        curves.losses[name][step] = value
                    elif name == 'lr' or name.endswith('_lr'):
                        curves.rates[name][step] = value
            else:
                for name, value in entry.items():
                    # COCO says -1 of what the data has none of.
                    if value >= 0 and any(kind in name for kind in _RESULTS):
                        curves.results[name][step] = value
    return curves


def draw_curves(work_dir: str | Path) -> Path | None:
    """Draw ``curves.png`` of the runs in a work directory, if anything was logged."""
    curves = read_curves(work_dir)
    if not curves.losses:
        return None
    rates = dict(curves.rates)
    rates.pop('base_lr', None)
    if len(rates) > 1:
        rates.pop('lr', None)  # that of the first group, which has a name as well
    panels = [
        ('loss', curves.losses),
        ('learning rate', rates),
        ('validation', _most_telling(curves.results)),
    ]
    panels = [(title, lines) for title, lines in panels if lines]
    figure, axes = new_figure(9, 3.2 * len(panels), rows=len(panels))
    for ax, (title, lines) in zip(np.atleast_1d(axes), panels, strict=True):
        for name, curve in lines.items():
            steps, values = zip(*sorted(curve.items()))
            _draw_line(ax, name, steps, values, dotted=title == 'validation')
        ax.set_ylabel(title)
        ax.grid(alpha=0.3)
        ax.legend(fontsize='small')
    ax.set_xlabel('iteration')
    return save_figure(figure, Path(work_dir, 'curves.png'))


def _draw_line(
    ax: Any, name: str, steps: Sequence[float], values: Sequence[float], *, dotted: bool
) -> None:
    marker = 'o' if dotted or len(steps) < 3 else None
    ax.plot(steps, values, label=name, marker=marker, markersize=3.5, lw=1.1)


def _most_telling(results: dict[str, Curve]) -> dict[str, Curve]:
    """The few results worth a curve; those of single classes and sizes come last."""

    def rank(name: str) -> tuple[int, int]:
        kind = next(i for i, kind in enumerate(_RESULTS) if kind in name)
        return kind, len(name)

    return {name: results[name] for name in sorted(results, key=rank)[:_MOST_CURVES]}


def _names(logs: Sequence[TrainingLog], keys: Sequence[str]) -> list[str]:
    if len(logs) == 1:
        return list(keys)
    runs = [
        log.path.parent.parent if log.path.parent.name == 'vis_data' else log.path
        for log in logs
    ]
    return [f'{run} {key}' for run in runs for key in keys]
