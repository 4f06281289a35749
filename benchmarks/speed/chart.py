"""A picture of ratios with their targets."""

from collections.abc import Sequence
from pathlib import Path

from glip.report.figures import new_figure
from glip.runtime.writing import make_folder

from .tables import rows

_COLORS = {'default': '#3b6ea5', 'tuned': '#e08a3c'}


def draw(records: Sequence[dict], path: str | Path) -> None:
    """Draw how many times faster ours is in each case, with ticks at the targets.

    Args:
        records: Of :mod:`benchmarks.speed.records`.
        path: PNG to be written.
    """
    table = rows(records, 's')
    labels = [
        row.title
        if (row.peer, row.ours) == ('mmdet', 'ours')
        else f'{row.title}\n{row.peer} : {row.ours}'
        for row in table
    ]
    figure, axes = new_figure(9, 1.2 + 0.55 * len(table))
    for offset, (settings, color) in zip((-0.2, 0.2), _COLORS.items()):
        bars = [
            (number + offset, row.ratio(settings), row.target(settings))
            for number, row in enumerate(table)
            if settings in row.cells
        ]
        if not bars:
            continue
        heights, ratios, _ = zip(*bars)
        label = f'against mmdet, {settings} settings'
        drawn = axes.barh(heights, ratios, height=0.38, color=color, label=label)
        numbers = axes.bar_label(drawn, fmt='{:.1f}', padding=3, fontsize=8, zorder=5)
        for number in numbers:  # readable where a target crosses it
            number.set_bbox(dict(facecolor='white', edgecolor='none', pad=0.5))
        aims = [(target, height) for height, _, target in bars if target is not None]
        axes.vlines(
            [target for target, _ in aims],
            [height - 0.19 for _, height in aims],
            [height + 0.19 for _, height in aims],
            color='black',
            linewidth=2,
            label='target' if settings == 'default' else None,
        )
    axes.axvline(1, color='grey', linewidth=0.8)
    axes.set_xscale('log')
    axes.set_xlabel('times faster than mmdet')
    axes.set_yticks(range(len(table)), labels, fontsize=8)
    axes.invert_yaxis()
    if table:
        axes.legend(fontsize=8, loc='lower right')
    make_folder(Path(path).parent)
    figure.savefig(path, dpi=110)
