"""AP by the number of labelled pictures, as in figure 4 of the paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glip.errors import ConfigError
from glip.runtime.atomic import atomic_write
from glip.teach.few_shot.results import Curve, FewShotTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3


def draw_efficiency(table: FewShotTable, out: str | Path) -> Path | None:
    """Draw a panel for the mean over sets, and one for each set.

    Args:
        table: The results.
        out: Image file; its ending says the format.

    Returns:
        The picture, or None where nothing was trained.

    Raises:
        ConfigError: The file cannot be written.
    """
    if not table.tunings:
        return None
    from matplotlib.figure import Figure

    panels: list[tuple[str, Sequence[str]]] = [(name, [name]) for name in table.sets]
    if len(panels) > 1:
        panels.insert(0, (f'mean of {len(panels)} sets', table.sets))
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(4.2 * columns, 3.2 * rows), layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for ax, (title, sets) in zip(axes, panels):
        for tuning in table.tunings:
            _draw(ax, table.curve(tuning, sets), table.shots)
        ax.set_title(title)
        ax.set_xticks(range(len(table.shots)), map(str, table.shots))
        ax.grid(alpha=0.3)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    axes[0].legend()
    figure.supxlabel('labelled pictures of each class')
    figure.supylabel('AP, %')
    try:
        with atomic_write(out) as part:
            figure.savefig(part, format=Path(out).suffix[1:] or 'png', dpi=130)
    except OSError as error:
        raise ConfigError(f'cannot write {out}: {error.strerror or error}') from error
    return Path(out)


def _draw(ax: Axes, curve: Curve, shots: Sequence[int | str]) -> None:
    """One line, with bars where there are several seeds."""
    ax.errorbar(
        [shots.index(s) for s in curve.shots],
        [100 * mean for mean in curve.means],
        [100 * (spread or 0) for spread in curve.spreads],
        marker='o',
        markersize=4,
        capsize=3,
        label=curve.tuning,
    )
