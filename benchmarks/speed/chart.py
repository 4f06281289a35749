"""A picture of ratios with their targets."""

from collections.abc import Sequence
from pathlib import Path

from .tables import rows

_COLORS = {'default': '#3b6ea5', 'tuned': '#e08a3c'}


def draw(records: Sequence[dict], path: str | Path) -> None:
    """Draw how many times faster ours is in each case, with ticks at the targets.

    Args:
        records: Of :mod:`benchmarks.speed.records`.
        path: PNG to be written.
    """
    from matplotlib.figure import Figure

    found = rows(records, 's')
    labels = [
        row.title
        if (row.peer, row.ours) == ('mmdet', 'ours')
        else f'{row.title}\n{row.peer} : {row.ours}'
        for row in found
    ]
    figure = Figure(figsize=(9, 1.2 + 0.55 * len(found)), layout='constrained')
    axes = figure.subplots()
    for offset, (settings, color) in zip((-0.2, 0.2), _COLORS.items()):
        bars = [
            (place, row.ratio(settings), row.target(settings))
            for place, row in enumerate(found)
            if settings in row.cells
        ]
        if not bars:
            continue
        places = [place + offset for place, *_ in bars]
        drawn = axes.barh(
            places,
            [ratio for _, ratio, _ in bars],
            height=0.38,
            color=color,
            label=f'against mmdet, {settings} settings',
        )
        numbers = axes.bar_label(drawn, fmt='{:.1f}', padding=3, fontsize=8, zorder=5)
        for number in numbers:  # readable where a target crosses it
            number.set_bbox(dict(facecolor='white', edgecolor='none', pad=0.5))
        aims = [
            (place, target)
            for place, (_, _, target) in zip(places, bars)
            if target is not None
        ]
        axes.vlines(
            [target for _, target in aims],
            [place - 0.19 for place, _ in aims],
            [place + 0.19 for place, _ in aims],
            color='black',
            linewidth=2,
            label='target' if settings == 'default' else None,
        )
    axes.axvline(1, color='grey', linewidth=0.8)
    axes.set_xscale('log')
    axes.set_xlabel('times faster than mmdet')
    axes.set_yticks(range(len(found)), labels, fontsize=8)
    axes.invert_yaxis()
    if found:
        axes.legend(fontsize=8, loc='lower right')
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
