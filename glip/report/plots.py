"""``--plots``: pictures and tables of where a model is right and where it is wrong."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from glip.errors import ConfigError, DatasetError, one_line
from glip.evaluation.predictions import entry_of
from glip.evaluation.set_table import SetTable
from glip.evaluation.truth import TruthSet
from glip.registry import METRICS
from glip.report.figures import Bars, draw_bars
from glip.report.plots_classes import write_class_plots
from glip.report.plots_phrases import has_phrases, write_phrase_plots
from glip.runtime.leaves import iter_leaves
from glip.runtime.writing import safe_name, writing_to


def write_plots(
    predictions: Iterable[Mapping[str, Any]],
    data: Any,
    out_dir: str | os.PathLike[str],
    *,
    names: Sequence[str] | None = None,
    score_thr: float | None = None,
    iou_thr: float = 0.5,
    worst: int = 40,
) -> list[Path]:
    """Write plots, tables and a page of the worst pictures.

    Into ``out_dir``, or one folder in it for each part of mixed data;
    ``docs/evaluation.md`` says what each file shows.

    Args:
        predictions: One for each picture of the data, in its order: data samples as
            ``read_predictions`` gives them, or entries of a metric (``img_id``,
            ``bboxes``, ``scores``, ``labels``).
        data: A data set of classes or captions, also a joined one; or the path of a
            COCO-format file with its pictures beside it.
        out_dir: Where to write; made where it is missing.
        names: Folders of the parts of joined data; by default that of their
            annotation files' folders or, in one folder, of the files themselves.
        score_thr: Detections below take no part in the confusion matrix and the page
            of classes; by default that with the best F1 over all classes.
        iou_thr: Overlap from which on a detection is on a box, for the same two and
            for phrases.
        worst: Pictures on the page; 0 for none.

    Returns:
        The files to look at, the pages first.

    Raises:
        ConfigError: The folder cannot be written to, or a number has no meaning.
        DatasetError: The predictions are not of these pictures, or the data has
            neither classes nor phrases with boxes.
    """
    if not 0 <= (score_thr or 0) <= 1 or not 0 < iou_thr <= 1 or worst < 0:
        raise ConfigError(
            f'score_thr={score_thr}, iou_thr={iou_thr}, worst={worst}: scores and '
            'overlaps lie between 0 and 1, and pictures are counted from 0'
        )
    options = dict(score_thr=score_thr, iou_thr=iou_thr, worst=worst)
    entries = [entry_of(prediction) for prediction in predictions]
    if not entries:
        raise DatasetError('there are predictions of no picture to plot')
    if isinstance(data, (str, os.PathLike)):
        truth = _predicted(TruthSet.of_file(data), entries)
        with writing_to(out_dir, 'plots'):
            return write_class_plots(entries, truth, Path(out_dir), **options)
    parts = list(iter_leaves(data))
    total = sum(len(part) for part in parts)
    if total != len(entries):
        raise DatasetError(
            f'the predictions are of {len(entries)} pictures, but the data set has '
            f'{total}'
        )
    files, refused, rest = [], [], iter(entries)
    for part, name in zip(parts, _folders(parts, names)):
        of_part, folder = list(islice(rest, len(part))), Path(out_dir, name)
        with writing_to(folder, 'plots'):
            if has_phrases(part):
                files += write_phrase_plots(
                    of_part, part, folder, iou_thr=iou_thr, worst=worst
                )
                continue
            try:
                truth = TruthSet.of_dataset(part)
            except DatasetError as error:
                refused.append(error)
                continue
            files += write_class_plots(of_part, truth, folder, **options)
    if refused and len(refused) == len(parts):
        raise refused[0]
    for error in refused:
        print_log(f'no plots: {one_line(error)}', 'current', logging.WARNING)
    return files


def plot_sets(table: SetTable, folder: str | os.PathLike[str]) -> None:
    """Draw AP and AP50 of many data sets as ``sets.png``, or say why not.

    Args:
        table: Of the evaluation.
        folder: That of the plots.
    """
    if not table.has_ap:
        return

    def percents(value: Callable[[str], float | None]) -> tuple[float, float]:
        return tuple(100 * (value(key) or 0.0) for key in table.keys[:2])

    bars = [
        Bars(row.name, row.pictures, *percents(row.value))
        for row in table.rows
        if row.value(table.keys[0]) is not None
    ]
    means = ' / '.join(f'{mean:.1f}' for mean in percents(table.mean))
    title = f'AP / AP50 by set (pictures in brackets), {table.label}: {means}'
    try:
        with writing_to(folder, 'a plot of the sets'):
            Path(folder).mkdir(parents=True, exist_ok=True)
            file = draw_bars(bars, Path(folder, 'sets.png'), title=title)
    except ConfigError as error:
        print_log(one_line(error), 'current', logging.WARNING)
    else:
        print_log(f'written: {file}', 'current')


@METRICS.register_module()
class PlotsMetric(BaseMetric):
    """Collects what is found, from all processes, and calls :func:`write_plots`.

    It gives no results; data without classes or phrases is said and passed over, so
    that an evaluation never fails for its plots.

    Args:
        out_dir: Where to write.
        dataset: What is evaluated.
        collect_device: Where results of several processes are gathered.
        **options: Of :func:`write_plots`.
    """

    default_prefix = 'plots'

    def __init__(
        self,
        out_dir: str | os.PathLike[str],
        dataset: Any,
        collect_device: str = 'cpu',
        **options: Any,
    ) -> None:
        super().__init__(collect_device=collect_device)
        self.out_dir = Path(out_dir)
        self.dataset = dataset
        self.options = options

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the detections of one batch.

        Args:
            data_batch: Not used.
            data_samples: With ``img_id`` and ``pred_instances``.
        """
        for sample in data_samples:
            entry = entry_of(sample)
            for field in ('bboxes', 'scores'):
                entry[field] = entry[field].astype(np.float32)
            self.results.append(entry)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Write, and say where.

        Args:
            results: An entry per picture, in the order of the data set.
        """
        try:
            files = write_plots(results, self.dataset, self.out_dir, **self.options)
        except (ConfigError, DatasetError) as error:
            print_log(f'no plots: {one_line(error)}', 'current', logging.WARNING)
            return {}
        for file in files:
            print_log(f'written: {file}', 'current')
        return {}


def _predicted(truth: TruthSet, entries: Sequence[Mapping[str, Any]]) -> TruthSet:
    """The pictures of a file that there are predictions of, in their order."""
    known = {picture.img_id: picture for picture in truth.pictures}
    stray = [entry['img_id'] for entry in entries if entry['img_id'] not in known]
    if stray:
        raise DatasetError(
            f'{len(stray)} of the predictions are of pictures that {truth.coco.path} '
            f'does not list, such as the id {stray[0]!r}'
        )
    return replace(truth, pictures=tuple(known[entry['img_id']] for entry in entries))


def _folders(parts: Sequence[Any], names: Sequence[str] | None) -> list[str]:
    """A folder for each part; none for the only one."""
    if len(parts) == 1 and not names:
        return ['']
    if names is None:
        files = [
            Path(str(getattr(part, 'ann_file', '') or f'part_{i}'))
            for i, part in enumerate(parts)
        ]
        names = [file.parent.as_posix() for file in files]
        if len(set(names)) == len(names):
            shared = os.path.commonpath(names)
            names = [os.path.relpath(name, shared or '.') for name in names]
        else:
            names = [file.stem for file in files]
    if len(names) != len(parts):
        raise ConfigError(f'{len(names)} names for {len(parts)} data sets: {names}')
    folders: list[str] = []
    for name in names:
        folder = safe_name(str(name)).strip('._') or 'part'
        while folder in folders:
            folder += '_'
        folders.append(folder)
    return folders
