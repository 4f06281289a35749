"""Figures of an evaluation: curves, bars and the confusion matrix, as image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glip.evaluation.set_table import SetTable
from glip.report.class_curves import RECALLS, ClassCurves

_NAMED_CURVES = 10  # as many as there are colours that can be told apart
_MOST_LINES = 90
_MOST_BARS = 60
_MOST_ROWS = 30  # classes in a matrix that can still be read
_NUMBERED_ROWS = 22  # up to which cells hold numbers
_LONGEST = 28  # letters of a name
_DPI = 130
_GRAY = '#c4c4c4'


def draw_curves(curves: ClassCurves, names: Sequence[str], path: Path) -> Path:
    """Precision over recall at IoU 0.5: the mean, and each class.

    Of more classes than colours, those with most boxes are named, all others are thin
    and gray, or, where they are too many for lines, ranges.
    """
    figure, ax = new_figure(8.2, 5.4)
    there = np.flatnonzero(curves.counts)
    by_count = there[np.argsort(-curves.counts[there], kind='stable')]
    named, others = by_count[:_NAMED_CURVES], by_count[_NAMED_CURVES:]
    for place, label in enumerate(named):
        ax.plot(
            *(RECALLS, curves.precision[label]),
            color=f'C{place}',
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
        say(ax, 'no boxes to find')
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel='recall', ylabel='precision')
    ax.set_title('Precision over recall at IoU 0.5', loc='left')
    ax.grid(alpha=0.3)
    return save_figure(figure, path)


def draw_bars(curves: ClassCurves, names: Sequence[str], path: Path) -> Path:
    """AP of each class as bar, the best on top; of many, the best and the worst."""
    there = np.flatnonzero(curves.counts)
    # Of equally good ones those with most boxes tell most.
    order = there[np.lexsort((-curves.counts[there], -curves.ap[there]))]
    title = f'AP / AP50 by class (boxes in brackets), classes: {len(there)}'
    if len(order) <= _MOST_BARS:
        figure, ax = new_figure(8, 1.3 + 0.27 * max(len(order), 3))
        panels = [(ax, order)]
    else:
        half = _MOST_BARS // 2
        worst = there[np.lexsort((-curves.counts[there], curves.ap[there]))][:half]
        figure, axes = new_figure(13, 1.3 + 0.27 * half, columns=2)
        panels = list(zip(axes, (order[:half], worst[::-1])))
        title += f', the best {half} and the worst {half}'
    for ax, chosen in panels:
        _bars(ax, curves, names, chosen)
    if not len(there):
        say(panels[0][0], 'no boxes to find')
    figure.suptitle(title, x=0.01, ha='left', fontsize='medium')
    return save_figure(figure, path)


def draw_sets(table: SetTable, path: Path) -> Path:
    """AP and AP50 of each data set as bars, in the order of the table."""
    shown = [row for row in table.rows if row.value(table.keys[0]) is not None]
    figure, ax = new_figure(8, 1.3 + 0.27 * max(len(shown), 3))
    labels = [
        f'{short_name(row.name)} ({compact_number(row.pictures)})' for row in shown
    ]
    ap, ap50 = (
        np.array([_percent(row.value(key)) for row in shown]) for key in table.keys[:2]
    )
    paired_bars(ax, labels, ap, ap50, 'AP')
    means = ' / '.join(f'{_percent(table.mean(key)):.1f}' for key in table.keys[:2])
    title = f'AP / AP50 by set (pictures in brackets), {table.label}: {means}'
    figure.suptitle(title, x=0.01, ha='left', fontsize='medium')
    return save_figure(figure, path)


def draw_confusion(
    counts: np.ndarray, names: Sequence[str], path: Path, *, subtitle: str = ''
) -> Path:
    """The confusion matrix, each row in percent of its true boxes.

    Of many classes those with most mistakes are shown, the others together as one.

    Args:
        counts: (K + 1, K + 1), see ``ConfusionMatrix``.
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
                size = 8 if len(words) < 5 else 7
                ax.text(
                    *(column, row, words),
                    ha='center',
                    va='center',
                    color=ink,
                    fontsize=size,
                )
    places = range(len(called))
    ax.set_xticks(places, [short_name(name) for name in called], rotation=90)
    ax.set_yticks(places, [short_name(name) for name in called])
    last = len(called) - 1.5
    ax.axhline(last, color='#707070', lw=0.8)
    ax.axvline(last, color='#707070', lw=0.8)
    ax.set_xlabel('found as (background: missed)')
    ax.set_ylabel('true class (background: nothing there)')
    title = 'Confusion matrix' + (f'\n{subtitle}' if subtitle else '')
    ax.set_title(title, loc='left', fontsize='medium')
    return save_figure(figure, path)


def _bars(
    ax: Any, curves: ClassCurves, names: Sequence[str], chosen: np.ndarray
) -> None:
    """One panel of bars."""
    labels = [
        f'{short_name(names[i])} ({compact_number(int(curves.counts[i]))})'
        for i in chosen
    ]
    ap, ap50 = 100 * curves.ap[chosen], 100 * curves.ap50[chosen]
    paired_bars(ax, labels, ap, ap50, 'AP')


def paired_bars(
    ax: Any, labels: Sequence[str], front: np.ndarray, back: np.ndarray, xlabel: str
) -> None:
    """Two values of each label in percent, one bar before the other, with numbers."""
    rows = np.arange(len(labels))
    ax.barh(rows, back, color='#d5e3f0', height=0.72)
    ax.barh(rows, front, color='#3b76af', height=0.72)
    ax.set_yticks(rows, labels, fontsize=8)
    for row, low, high in zip(rows, front, back):
        numbers = f'{low:.1f} / {high:.1f}'
        ax.text(max(low, high) + 1, row, numbers, va='center', fontsize=7.5)
    ax.set(xlim=(0, 113), ylim=(len(labels) - 0.4, -0.6), xlabel=xlabel)
    ax.set_xticks(range(0, 101, 20))
    ax.grid(axis='x', alpha=0.3)
    ax.set_axisbelow(True)
    for side in ('top', 'right'):
        ax.spines[side].set_visible(False)


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


def _percent(value: float | None) -> float:
    return 0.0 if value is None else 100 * value


def new_figure(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    """A figure that needs no display and is remembered by nobody."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout='constrained')
    return figure, figure.subplots(1, columns)


def save_figure(figure: Any, path: Path) -> Path:
    figure.savefig(path, dpi=_DPI, bbox_inches='tight')
    return path


def legend_beside(ax: Any, title: str) -> None:
    """What the lines are, to the right of them."""
    ax.legend(
        title=title,
        loc='upper left',
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        fontsize='small',
    )


def say(ax: Any, words: str) -> None:
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
