"""``--plots`` of classes: which are found, which are mixed up, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glip.evaluation.predictions import check_labels, check_pictures
from glip.evaluation.truth import TruthSet
from glip.report.class_curves import ClassCurves, class_curves
from glip.report.figures import Bars, draw_bars, draw_confusion, draw_curves
from glip.report.judged_pictures import confusion_matrix, judge
from glip.report.worst import write_worst
from glip.runtime.writing import write_csv, write_json

_USUAL = 0.3  # threshold where nothing is detected
_PAIRS = 50  # most frequent confusions that are listed
_HEAD = (
    *('class', 'boxes', 'AP', 'AP50', 'AP75', 'best_threshold', 'precision', 'recall'),
    *('found', 'taken_for_another', 'missed', 'false_alarms'),
)


def write_class_plots(
    entries: Sequence[dict[str, Any]],
    truth: TruthSet,
    folder: Path,
    *,
    score_thr: float | None,
    iou_thr: float,
    worst: int,
) -> list[Path]:
    """Figures, tables and the page of one data set of classes.

    Arguments and result are those of :func:`glip.report.plots.write_plots`.

    Raises:
        DatasetError: The entries are not of these pictures or classes.
        OSError: They cannot be written.
    """
    check_pictures(entries, (p.img_id for p in truth.pictures), truth.coco.path)
    names = truth.coco.names
    check_labels(entries, len(names), truth.coco.path)
    curves = class_curves(truth.coco, entries, federated=truth.federated)
    if score_thr is None:
        score_thr = _USUAL
        if not np.isnan(curves.threshold):
            # Rounded down, so that the detection it was taken from stays.
            score_thr = float(np.floor(100 * curves.threshold) / 100)
    judged = [
        judge(entry, picture, names, score_thr=score_thr, iou_thr=iou_thr)
        for entry, picture in zip(entries, truth.pictures)
    ]
    counts = confusion_matrix(judged, len(names))
    thresholds = f'score from {score_thr:g}, IoU from {iou_thr:g}'
    totals = _totals(counts)
    facts = _facts(truth, curves, totals, thresholds)
    called = [*names, 'background']
    folder.mkdir(parents=True, exist_ok=True)
    files = [
        draw_curves(curves, names, folder / 'pr_curves.png'),
        _draw_ap(curves, names, folder / 'class_ap.png'),
        draw_confusion(
            counts, names, folder / 'confusion_matrix.png', subtitle=thresholds
        ),
        write_csv(folder / 'classes.csv', _HEAD, _class_rows(curves, counts, names)),
        write_csv(
            folder / 'confusion_matrix.csv',
            ('true', 'found', 'count'),
            [(called[i], called[j], count) for i, j, count in _by_count(counts)],
        ),
        write_json(
            folder / 'summary.json',
            {
                'facts': dict(facts),
                **totals,
                'classes': _class_summary(curves, names),
                'most_confused': _most_confused(counts, called),
            },
        ),
    ]
    pages = write_worst(
        judged, folder / 'worst', title='Worst pictures', count=worst, facts=facts
    )
    return pages + files


def _totals(counts: np.ndarray) -> dict[str, int]:
    """Boxes and detections by what became of them."""
    right = int(np.trace(counts))
    return {
        'found': right,
        'taken_for_another': int(counts[:-1, :-1].sum()) - right,
        'missed': int(counts[:-1, -1].sum()),
        'false_alarms': int(counts[-1].sum()),
    }


def _facts(
    truth: TruthSet, curves: ClassCurves, totals: Mapping[str, int], thresholds: str
) -> list[tuple[str, str]]:
    """Name and value of what matters most, in words."""
    there = curves.counts > 0
    boxes = int(curves.counts.sum())
    facts = [
        ('annotations', truth.coco.path),
        ('pictures', str(len(truth.pictures))),
        ('boxes', f'{boxes} of {int(there.sum())} of {len(there)} classes'),
    ]
    if there.any():
        mean = [float(v[there].mean()) for v in (curves.ap, curves.ap50, curves.ap75)]
        facts.append(('AP, AP50, AP75', ', '.join(f'{100 * v:.1f}' for v in mean)))
    words = ('found', 'taken for another class', 'missed', 'false alarms')
    summed = ', '.join(f'{n} {word}' for n, word in zip(totals.values(), words))
    return [*facts, (thresholds, summed)]


def _draw_ap(curves: ClassCurves, names: Sequence[str], path: Path) -> Path:
    """AP of each class that has boxes as bar, the best on top."""
    there = np.flatnonzero(curves.counts)
    order = there[np.lexsort((-curves.counts[there], -curves.ap[there]))]
    bars = [
        Bars(names[i], int(curves.counts[i]), 100 * curves.ap[i], 100 * curves.ap50[i])
        for i in order
    ]
    title = f'AP / AP50 by class (boxes in brackets), classes: {len(bars)}'
    return draw_bars(bars, path, title=title)


def _class_rows(
    curves: ClassCurves, counts: np.ndarray, names: Sequence[str]
) -> list[list[Any]]:
    """Lines of ``classes.csv``."""
    values = zip(
        *(curves.ap, curves.ap50, curves.ap75),
        *(curves.best_score, curves.best_precision, curves.best_recall),
    )
    right = np.diag(counts)
    judged = zip(
        right, counts[:-1, :-1].sum(axis=1) - right[:-1], counts[:-1, -1], counts[-1]
    )
    return [
        [name, boxes, *('' if np.isnan(v) else f'{v:.4f}' for v in row), *numbers]
        for name, boxes, row, numbers in zip(names, curves.counts, values, judged)
    ]


def _class_summary(curves: ClassCurves, names: Sequence[str]) -> list[dict[str, Any]]:
    """Each class for ``summary.json``; None where there is no number."""
    columns = {
        'AP': curves.ap,
        'AP50': curves.ap50,
        'AP75': curves.ap75,
        'best_threshold': curves.best_score,
    }
    return [
        {
            'name': name,
            'boxes': int(curves.counts[label]),
            **{
                key: None if np.isnan(v[label]) else round(float(v[label]), 4)
                for key, v in columns.items()
            },
        }
        for label, name in enumerate(names)
    ]


def _most_confused(counts: np.ndarray, called: Sequence[str]) -> list[dict[str, Any]]:
    """Pairs of different classes that are taken for each other most."""
    wrong = counts[:-1, :-1].copy()
    np.fill_diagonal(wrong, 0)
    return [
        {'true': called[i], 'found': called[j], 'count': count}
        for i, j, count in _by_count(wrong)[:_PAIRS]
    ]


def _by_count(counts: np.ndarray) -> list[tuple[int, int, int]]:
    """Row, column and value of all but zeros, the largest first."""
    rows, columns = np.nonzero(counts)
    values = counts[rows, columns]
    order = np.argsort(-values, kind='stable')
    return list(zip(*(part[order].tolist() for part in (rows, columns, values))))
