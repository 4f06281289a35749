"""Figures of an evaluation: curves, bars and the confusion matrix, as image files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glip.evaluation.phrase_hits import share_within
from glip.report.class_curves import RECALLS, ClassCurves
from glip.runtime.atomic import atomic_write

_NAMED_CURVES = 10  # as many as there are colours that can be told apart
_MOST_LINES = 90
_MOST_BARS = 60
_MOST_ROWS = 30  # classes in a matrix that can still be read
_NUMBERED_ROWS = 22  # up to which cells hold numbers
_LONGEST = 28  # letters of a name
_DPI = 130
_GRAY = '#c4c4c4'
_MOST_BOXES = 100  # of a phrase that the axis shows
_TICKS = (1, 2, 5, 10, 20, 50, _MOST_BOXES)

Ranks = Sequence[int | None]


class Bars(NamedTuple):
    """Two values of one name in percent, and the number of things that it has."""

    name: str
    count: int
    front: float
    back: float


def draw_curves(curves: ClassCurves, names: Sequence[str], path: Path) -> Path:
    """Precision over recall at IoU 0.5: the mean, and each class.

    Of more classes than colours, those with most boxes are named, all others are thin
    and gray, or, where they are too many for lines, ranges.
    """
    figure, ax = new_figure(8.2, 5.4)
    there = np.flatnonzero(curves.counts)
    by_count = there[np.argsort(-curves.counts[there], kind='stable')]
    named, others = by_count[:_NAMED_CURVES], by_count[_NAMED_CURVES:]
    for number, label in enumerate(named):
        ax.plot(
            *(RECALLS, curves.precision[label]),
            color=f'C{number}',
            lw=1.3,
            zorder=2,
            label=f'{short_name(names[label])}  {100 * curves.ap50[label]:.1f}',
        )
    if len(there) > 1:
        ax.plot(
            *(RECALLS, curves.precision[there].mean(axis=0)),
            color='black',
            lw=2.2,
            zorder=3,
            label=f'mean of {len(there)}  {100 * curves.ap50[there].mean():.1f}',
        )
    if len(others) > _MOST_LINES:
        for low, color in ((10, '#ececec'), (25, '#d4d4d4')):
            ends = np.percentile(curves.precision[there], [low, 100 - low], axis=0)
            words = f'{100 - 2 * low}% of the classes'
            ax.fill_between(RECALLS, *ends, color=color, lw=0, zorder=0, label=words)
    elif len(others):
        for label in others:
            ax.plot(RECALLS, curves.precision[label], color=_GRAY, lw=0.5, zorder=1)
        ax.plot([], [], color=_GRAY, lw=1, label=f'{len(others)} more')
    if len(there):
        legend_beside(ax, 'class, AP50')
    else:
        write_instead(ax, 'no boxes to find')
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel='recall', ylabel='precision')
    ax.set_title('Precision over recall at IoU 0.5', loc='left')
    ax.grid(alpha=0.3)
    return save_figure(figure, path)


def draw_recall(
    strong: Mapping[str, Ranks], path: Path, *, thin: Mapping[str, Ranks]
) -> Path:
    """Recall over the number of boxes that are looked at.

    Args:
        strong: Name -> rank of each phrase's first right box, drawn as strong lines.
        path: Image file.
        thin: The same for lines behind them.
    """
    figure, ax = new_figure(8.2, 5)
    counts = np.arange(1, _MOST_BOXES + 1)

    def line(name: str, ranks: Ranks, **style: Any) -> None:
        if ranks:
            recall = [100 * share_within(ranks, int(k)) for k in counts]
            label = f'{short_name(name)}  {recall[0]:.1f} / {recall[9]:.1f}'
            ax.plot(counts, recall, label=label, **style)

    for color, (name, ranks) in zip(('black', '#8a8a8a'), strong.items()):
        line(name, ranks, color=color, lw=2.2, zorder=3)
    for number, (name, ranks) in enumerate(thin.items()):
        line(name, ranks, color=f'C{number}', lw=1.1, zorder=2)
    if any(strong.values()):
        legend_beside(ax, 'phrases, R@1 / R@10')
    else:
        write_instead(ax, 'no phrases with boxes')
    ax.set_xscale('log')
    ax.set(xlim=(1, _MOST_BOXES), ylim=(0, 102))
    ax.set(xlabel='boxes per phrase', ylabel='recall')
    ax.set_xticks(_TICKS, labels=map(str, _TICKS))
    ax.minorticks_off()
    ax.set_title('Phrases found among their first boxes', loc='left')
    ax.grid(alpha=0.3)
    return save_figure(figure, path)


def draw_bars(
    bars: Sequence[Bars], path: Path, *, title: str, xlabel: str = 'AP'
) -> Path:
    """Two values of each name, one bar before the other, with numbers.

    Args:
        bars: From top to bottom; of very many only the best and the worst are drawn.
        path: Image file.
        title: Written above.
        xlabel: What the bars are.
    """
    if len(bars) <= _MOST_BARS:
        figure, axes = new_figure(8, 1.3 + 0.27 * max(len(bars), 3))
        panels = [(axes, bars)]
    else:
        half = _MOST_BARS // 2
        # Of equally good ones those of most things tell most.
        best = sorted(bars, key=lambda one: (-one.front, -one.count))[:half]
        worst = sorted(bars, key=lambda one: (one.front, -one.count))[:half]
        figure, axes = new_figure(13, 1.3 + 0.27 * half, columns=2)
        panels = list(zip(axes, (best, worst[::-1])))
        title += f', the best {half} and the worst {half}'
    for ax, shown in panels:
        _draw_panel(ax, shown, xlabel)
    if not bars:
        write_instead(panels[0][0], 'no boxes to find')
    figure.suptitle(title, x=0.01, ha='left', fontsize='medium')
    return save_figure(figure, path)


def _draw_panel(ax: Any, bars: Sequence[Bars], xlabel: str) -> None:
    rows = np.arange(len(bars))
    labels = [f'{short_name(one.name)} ({compact_number(one.count)})' for one in bars]
    ax.barh(rows, [one.back for one in bars], color='#d5e3f0', height=0.72)
    ax.barh(rows, [one.front for one in bars], color='#3b76af', height=0.72)
    ax.set_yticks(rows, labels, fontsize=8)
    for row, one in zip(rows, bars):
        numbers = f'{one.front:.1f} / {one.back:.1f}'
        end = max(one.front, one.back) + 1
        ax.text(end, row, numbers, va='center', fontsize=7.5)
    ax.set(xlim=(0, 113), ylim=(len(bars) - 0.4, -0.6), xlabel=xlabel)
    ax.set_xticks(range(0, 101, 20))
    ax.grid(axis='x', alpha=0.3)
    ax.set_axisbelow(True)
    ax.spines[['top', 'right']].set_visible(False)


def draw_confusion(
    counts: np.ndarray, names: Sequence[str], path: Path, *, subtitle: str = ''
) -> Path:
    """The confusion matrix, each row in percent of its true boxes.

    Of many classes those with most mistakes are shown, the others together as one.

    Args:
        counts: (K + 1, K + 1), see ``confusion_matrix``.
        names: The K classes.
        path: Image file.
        subtitle: Said below the title.
    """
    counts, called = _reduced(counts, names)
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    size = 2.6 + (0.5 if len(called) <= _NUMBERED_ROWS else 0.34) * len(called)
    figure, ax = new_figure(max(size, 4.4) + 1.2, max(size, 4.4))
    image = ax.imshow(shares, cmap='Blues', vmin=0, vmax=1)
    bar = figure.colorbar(image, ax=ax, shrink=0.7, pad=0.02)
    bar.set_label('share of the row')
    if len(called) <= _NUMBERED_ROWS:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                ink = 'white' if shares[row, column] > 0.55 else '#303030'
                words = compact_number(int(count))
                style = dict(color=ink, fontsize=8 if len(words) < 5 else 7)
                ax.text(column, row, words, ha='center', va='center', **style)
    ticks = range(len(called))
    ax.set_xticks(ticks, [short_name(name) for name in called], rotation=90)
    ax.set_yticks(ticks, [short_name(name) for name in called])
    last = len(called) - 1.5
    ax.axhline(last, color='#707070', lw=0.8)
    ax.axvline(last, color='#707070', lw=0.8)
    ax.set_xlabel('found as (background: missed)')
    ax.set_ylabel('true class (background: nothing there)')
    title = 'Confusion matrix' + (f'\n{subtitle}' if subtitle else '')
    ax.set_title(title, loc='left', fontsize='medium')
    return save_figure(figure, path)


def _reduced(counts: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """At most ``_MOST_ROWS`` classes, the others as one, and background."""
    called = [*names, 'background']
    if len(names) <= _MOST_ROWS:
        return counts, called
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    # What is taken for another class says most, then what is missed or seen falsely.
    mixed = wrong[:-1, :-1]
    weight = (mixed.sum(axis=1) + mixed.sum(axis=0)) * counts.sum() + (
        wrong[:-1, -1] + wrong[-1, :-1]
    )
    chosen = np.sort(np.argsort(-weight, kind='stable')[:_MOST_ROWS])
    group = np.full(len(called), _MOST_ROWS)
    group[chosen] = np.arange(_MOST_ROWS)
    group[-1] = _MOST_ROWS + 1
    small = np.zeros((_MOST_ROWS + 2,) * 2, dtype=counts.dtype)
    np.add.at(small, (group[:, None], group[None, :]), counts)
    rest = f'{len(names) - _MOST_ROWS} others'
    return small, [*(names[i] for i in chosen), rest, 'background']


def new_figure(
    width: float, height: float, *, rows: int = 1, columns: int = 1
) -> tuple[Any, Any]:
    """A figure that needs no display and is remembered by nobody, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout='constrained')
    return figure, figure.subplots(rows, columns, sharex='col')


def save_figure(figure: Any, path: Path) -> Path:
    kind = path.suffix[1:] or 'png'
    with atomic_write(path) as part:
        figure.savefig(part, format=kind, dpi=_DPI, bbox_inches='tight')
    return path


def legend_beside(ax: Any, title: str) -> None:
    """What the lines are, to the right of them."""
    at = dict(loc='upper left', bbox_to_anchor=(1.01, 1.0))
    ax.legend(title=title, frameon=False, fontsize='small', **at)


def write_instead(ax: Any, words: str) -> None:
    """Words where there is nothing to draw."""
    ax.text(0.5, 0.5, words, ha='center', va='center', transform=ax.transAxes)


def short_name(name: str) -> str:
    """A name that leaves room for what it names; dollars are no formula."""
    name = ' '.join(str(name).split())
    if len(name) > _LONGEST:
        name = name[: _LONGEST - 1] + '…'
    return name.replace('$', r'\$')


def compact_number(count: int) -> str:
    """A number in few letters."""
    if count < 10_000:
        return str(count)
    return f'{count / 1000:.0f}k' if count < 10**6 else f'{count / 10**6:.1f}M'
