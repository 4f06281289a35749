"""Tables of an evaluation: by class, what is taken for what, and all in one."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from glip.evaluation.truth import TruthSet
from glip.report.class_curves import ClassCurves
from glip.report.confusion import ConfusionMatrix

_PAIRS = 50  # most frequent confusions that are listed


def facts(
    truth: TruthSet,
    curves: ClassCurves,
    matrix: ConfusionMatrix,
    score_thr: float,
    iou_thr: float,
) -> list[tuple[str, str]]:
    """Name and value of what matters most, in words."""
    there = curves.counts > 0
    boxes = int(curves.counts.sum())
    key_facts = [
        ('annotations', truth.source),
        ('pictures', str(len(truth.pictures))),
        ('boxes', f'{boxes} of {int(there.sum())} of {len(there)} classes'),
    ]
    if there.any():
        mean = [float(v[there].mean()) for v in (curves.ap, curves.ap50, curves.ap75)]
        key_facts.append(('AP, AP50, AP75', ', '.join(f'{100 * v:.1f}' for v in mean)))
    key_facts.append(
        (
            f'score from {score_thr:g}, IoU from {iou_thr:g}',
            f'{matrix.right} found, {matrix.confused} taken for another class, '
            f'{matrix.missed} missed, {matrix.false_alarms} false alarms',
        )
    )
    return key_facts


def write_classes(
    curves: ClassCurves, matrix: ConfusionMatrix, names: Sequence[str], path: Path
) -> Path:
    """A line for each class."""
    counts = matrix.counts
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(
            'class boxes AP AP50 AP75 best_threshold precision recall found '
            'taken_for_another missed false_alarms'.split()
        )
        for label, name in enumerate(names):
            row = [
                *(curves.ap[label], curves.ap50[label], curves.ap75[label]),
                *(curves.best_score[label], curves.best_precision[label]),
                curves.best_recall[label],
            ]
            right = counts[label, label]
            writer.writerow(
                [
                    *(name, curves.counts[label]),
                    *('' if np.isnan(value) else f'{value:.4f}' for value in row),
                    right,
                    counts[label, :-1].sum() - right,
                    counts[label, -1],
                    counts[-1, label],
                ]
            )
    return path


def write_matrix(matrix: ConfusionMatrix, names: Sequence[str], path: Path) -> Path:
    """All numbers but zeros, most first: true class, found class, how often."""
    called = [*names, 'background']
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(['true', 'found', 'count'])
        for true, detected in _by_count(matrix.counts):
            writer.writerow(
                [called[true], called[detected], matrix.counts[true, detected]]
            )
    return path


def write_summary(
    key_facts: Sequence[tuple[str, str]],
    curves: ClassCurves,
    matrix: ConfusionMatrix,
    truth: TruthSet,
    path: Path,
) -> Path:
    """Write facts, counts and values of each class as JSON."""
    called = [*truth.names, 'background']
    wrong = matrix.counts.copy()
    np.fill_diagonal(wrong, 0)
    wrong[-1], wrong[:, -1] = 0, 0
    content = {
        'facts': dict(key_facts),
        'found': matrix.right,
        'taken_for_another': matrix.confused,
        'missed': matrix.missed,
        'false_alarms': matrix.false_alarms,
        'classes': [
            {
                'name': name,
                'boxes': int(curves.counts[label]),
                'AP': _number(curves.ap[label]),
                'AP50': _number(curves.ap50[label]),
                'AP75': _number(curves.ap75[label]),
                'best_threshold': _number(curves.best_score[label]),
            }
            for label, name in enumerate(truth.names)
        ],
        'most_confused': [
            {'true': called[i], 'found': called[j], 'count': int(wrong[i, j])}
            for i, j in _by_count(wrong)[:_PAIRS]
        ],
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding='utf-8')
    return path


def _by_count(counts: np.ndarray) -> list[tuple[int, int]]:
    """Places that are not zero, the largest first."""
    rows, columns = np.nonzero(counts)
    order = np.argsort(-counts[rows, columns], kind='stable')
    return list(zip(rows[order].tolist(), columns[order].tolist()))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
