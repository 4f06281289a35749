"""Figures of an evaluation of phrases: recall over k, and by kind of phrase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glip.evaluation.phrase_recall import share_within
from glip.report.plots_figures import (
    compact_number,
    legend_beside,
    new_figure,
    paired_bars,
    save_figure,
    say,
    short_name,
)

_MOST = 100  # boxes of a phrase that the axis shows
_TICKS = (1, 2, 5, 10, 20, 50, _MOST)

Ranks = Sequence[int | None]


def draw_recall(
    named: Mapping[str, Ranks], path: Path, *, thin: Mapping[str, Ranks]
) -> Path:
    """Recall over the number of boxes that are looked at.

    Args:
        named: Name -> rank of each phrase's first right box, drawn as strong lines.
        path: Image file.
        thin: The same for lines behind them.
    """
    figure, ax = new_figure(8.2, 5)
    for place, (name, ranks) in enumerate(named.items()):
        color = ('black', '#8a8a8a')[place % 2]
        _line(ax, name, ranks, color=color, lw=2.2, zorder=3)
    for place, (name, ranks) in enumerate(thin.items()):
        _line(ax, name, ranks, color=f'C{place}', lw=1.1, zorder=2)
    if any(named.values()):
        legend_beside(ax, 'phrases, R@1 / R@10')
    else:
        say(ax, 'no phrases with boxes')
    ax.set_xscale('log')
    ax.set(xlim=(1, _MOST), ylim=(0, 102), xlabel='boxes per phrase', ylabel='recall')
    ax.set_xticks(_TICKS, labels=map(str, _TICKS))
    ax.minorticks_off()
    ax.set_title('Phrases found among their first boxes', loc='left')
    ax.grid(alpha=0.3)
    return save_figure(figure, path)


def draw_kinds(kinds: Mapping[str, Ranks], path: Path) -> Path:
    """R@1 and R@10 of each kind of phrase as bars.

    Args:
        kinds: Name -> rank of each phrase's first right box, from top to bottom.
        path: Image file.
    """
    figure, ax = new_figure(8, 1.3 + 0.3 * max(len(kinds), 3))
    first, tenth = (
        np.array([100 * share_within(ranks, k) for ranks in kinds.values()])
        for k in (1, 10)
    )
    labels = [
        f'{short_name(name)} ({compact_number(len(ranks))})'
        for name, ranks in kinds.items()
    ]
    paired_bars(ax, labels, first, tenth, 'recall')
    title = 'R@1 / R@10 by kind of phrase (phrases in brackets)'
    figure.suptitle(title, x=0.01, ha='left', fontsize='medium')
    return save_figure(figure, path)


def _line(ax: Any, name: str, ranks: Ranks, **style: Any) -> None:
    """Recall of some phrases at every number of boxes."""
    if not ranks:
        return
    places = np.arange(1, _MOST + 1)
    recall = [100 * share_within(ranks, int(k)) for k in places]
    label = f'{short_name(name)}  {recall[0]:.1f} / {recall[9]:.1f}'
    ax.plot(places, recall, label=label, **style)
