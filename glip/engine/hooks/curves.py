"""A picture of the training: losses, learning rates and results over the steps."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from glip.registry import HOOKS

Curve = dict[int, float]

# Results drawn, most telling first: total AP and recalls, not those of each class.
_RESULTS = ('mAP', 'AP', 'recall', 'R@', 'accuracy')
_MOST_CURVES = 10


@HOOKS.register_module()
class CurvesHook(Hook):
    """Draw ``work_dir/curves.png`` after every validation and at the end.

    Args:
        file: Name of the picture in the work directory.
    """

    priority = 'LOWEST'

    def __init__(self, file: str = 'curves.png') -> None:
        self.file = file

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Draw what there is, in case that the run is killed."""
        if is_main_process() and 'max_iters' in runner.message_hub.runtime_info:
            draw_curves(runner.work_dir, self.file)

    def after_train(self, runner: Runner) -> None:
        """Draw the whole run."""
        if is_main_process() and draw_curves(runner.work_dir, self.file) is None:
            print_log(
                f'no {self.file}: no losses are in {runner.work_dir}/*/vis_data '
                '(vis_backends needs LocalVisBackend)',
                'current',
                logging.WARNING,
            )


@dataclass
class Curves:
    """Values of a training by step, several runs of a work directory joined.

    Attributes:
        losses: By name.
        rates: Learning rates by name of the group.
        results: Validation results by name.
    """

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
        entries = _entries(path)
        first = min((e['iter'] for e in entries if 'iter' in e), default=None)
        if first is not None:
            curves.forget_from(first)
        step = None
        for entry in entries:
            if 'loss' in entry:
                step = int(entry.get('iter', entry['step']))
                for name, value in entry.items():
                    if 'loss' in name and name != 'loss_scale':
                        curves.losses[name][step] = value
                    elif name == 'lr' or name.endswith('_lr'):
                        curves.rates[name][step] = value
            else:
                # Results are logged by epoch; the steps before them tell the place.
                place = int(entry.get('step', 0)) if step is None else step
                for name, value in entry.items():
                    # COCO says -1 of what the data has none of.
                    if value >= 0 and any(kind in name for kind in _RESULTS):
                        curves.results[name][place] = value
    return curves


def _entries(path: Path) -> list[dict[str, Any]]:
    """Lines of a scalar file; the last one may be cut off."""
    entries = []
    for line in path.read_text().splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(entry, dict):
            entries.append(
                {k: v for k, v in entry.items() if isinstance(v, (int, float))}
            )
    return entries


def draw_curves(work_dir: str | Path, file: str = 'curves.png') -> Path | None:
    """Draw the curves of a work directory.

    Args:
        work_dir: Of one or several runs.
        file: Name of the picture in it.

    Returns:
        The picture, or None when nothing was logged yet.
    """
    curves = read_curves(work_dir)
    if not curves.losses:
        return None
    # Not pyplot, which keeps figures and looks for a display.
    from matplotlib.figure import Figure

    rates = dict(curves.rates)
    rates.pop('base_lr', None)
    if len(rates) > 1:
        rates.pop('lr', None)  # that of the first group, which has a name as well
    panels = [
        ('loss', dict(curves.losses)),
        ('learning rate', rates),
        ('validation', _most_telling(curves.results)),
    ]
    panels = [(title, lines) for title, lines in panels if lines]
    figure = Figure(figsize=(9, 3.2 * len(panels)), layout='constrained')
    axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for ax, (title, lines) in zip(axes, panels, strict=True):
        for name, curve in lines.items():
            steps = sorted(curve)
            marker = 'o' if title == 'validation' or len(steps) < 3 else None
            values = [curve[step] for step in steps]
            ax.plot(steps, values, label=name, marker=marker, markersize=3, linewidth=1)
        ax.set_ylabel(title)
        ax.grid(alpha=0.3)
        ax.legend(fontsize='small')
    axes[-1].set_xlabel('iteration')
    path = Path(work_dir, file)
    figure.savefig(path, dpi=110)
    return path


def _most_telling(results: dict[str, Curve]) -> dict[str, Curve]:
    """The few results worth a curve; those of single classes and sizes come last."""

    def rank(name: str) -> tuple[int, int]:
        kind = next(i for i, kind in enumerate(_RESULTS) if kind in name)
        return kind, len(name)

    return {name: results[name] for name in sorted(results, key=rank)[:_MOST_CURVES]}
