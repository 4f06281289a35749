"""One metric for each part of mixed data."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mmengine.dist import collect_results
from mmengine.evaluator import Evaluator
from mmengine.evaluator.metric import _to_cpu
from mmengine.logging import MMLogger, print_log
from mmengine.structures import BaseDataElement

from glip.errors import ConfigError, one_line
from glip.evaluation.set_table import SetRow, SetTable
from glip.registry import EVALUATOR
from glip.runtime.processes import of_first


@EVALUATOR.register_module()
class MultiDatasetsEvaluator(Evaluator):
    """Evaluate each part of a ``ConcatDataset`` by its own metric and classes.

    Results are named ``<data set>/<metric>``; what all parts have is also given as
    plain mean under the metric's own name, which ``save_best`` can watch. -1, COCO's
    mark for nothing to find, does not enter the mean. A table of all parts goes into
    the log, and into files where ``out_dir`` is set.

    Args:
        metrics: One metric, or its config, for each part. Further ones that are
            appended later see all parts as one, as ``others`` do.
        dataset_prefixes: A name for each part.
        sets: All sets that belong into the table, in its order, by default the parts:
            ``name``; ``absent``, what was looked for, of one that is no part of the
            data; anything else goes into the JSON file.
        others: Metrics that see all parts as one data set.

    Attributes:
        out_dir: Where ``sets.md``, ``sets.csv`` and ``sets.json`` are written.
        about: What is evaluated, for the JSON file.
        table: Of the last evaluation, in the main process.

    Raises:
        ConfigError: Not one metric and one name of its own for each part.
    """

    def __init__(
        self,
        metrics: Sequence[Any],
        dataset_prefixes: Sequence[str],
        sets: Sequence[Mapping[str, Any]] | None = None,
        others: Sequence[Any] = (),
    ) -> None:
        super().__init__([*metrics, *others])
        self.dataset_prefixes = list(dataset_prefixes)
        if len(metrics) != len(self.dataset_prefixes):
            raise ConfigError(
                f'{len(metrics)} metrics for the data sets '
                f'{self.dataset_prefixes}: give one for each'
            )
        if len(set(self.dataset_prefixes)) < len(self.dataset_prefixes):
            raise ConfigError(
                f'the data sets are called {self.dataset_prefixes}; give each a name '
                'of its own'
            )
        self.sets = list(sets or [{'name': name} for name in self.dataset_prefixes])
        present = [entry['name'] for entry in self.sets if not entry.get('absent')]
        if present != self.dataset_prefixes:
            raise ConfigError(
                f'the sets of the table {present} are not those that are evaluated '
                f'{self.dataset_prefixes}'
            )
        self.out_dir: str | os.PathLike[str] | None = None
        self.about: dict[str, Any] = {}
        self.table: SetTable | None = None

    @property
    def dataset_meta(self) -> dict[str, Any] | None:
        """Metainfo of the mixed data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping[str, Any]) -> None:
        self._dataset_meta = dict(dataset_meta)
        parts = self._dataset_meta.get('parts', [])
        if len(parts) != len(self.dataset_prefixes):
            raise ConfigError(
                f'{len(self.dataset_prefixes)} metrics for {len(parts)} data sets: '
                'MultiDatasetsEvaluator belongs to a ConcatDataset with as many parts'
            )
        for metric, part in zip(self.metrics, parts):
            metric.dataset_meta = part
        for metric in self.metrics[len(parts) :]:
            metric.dataset_meta = self._dataset_meta

    def process(
        self, data_samples: Sequence[BaseDataElement], data_batch: Any | None = None
    ) -> None:
        """Show a batch to all metrics; which part it is of is known at the end."""
        samples = [
            sample.to_dict() if isinstance(sample, BaseDataElement) else sample
            for sample in data_samples
        ]
        for metric in (self.metrics[0], *self.metrics[len(self.dataset_prefixes) :]):
            metric.process(data_batch, samples)

    def evaluate(self, size: int) -> dict[str, float]:
        """Hand the results of all ``size`` samples to the metrics of their parts."""
        first = self.metrics[0]
        results = collect_results(first.results, size, first.collect_device)
        first.results.clear()
        values = of_first(lambda: self._by_part(_to_cpu(results)))
        for metric in self.metrics[len(self.dataset_prefixes) :]:
            values |= metric.evaluate(size)
        return values

    def _by_part(self, results: list[Any]) -> dict[str, float]:
        """Split by the order the samples were shown in, which is the data set's."""
        ends = self._dataset_meta['cumulative_sizes']
        values: dict[str, float] = {}
        by_name: dict[str, list[float]] = {}
        rows: dict[str, SetRow] = {}
        for name, start, end, metric in zip(
            self.dataset_prefixes, [0, *ends], ends, self.metrics
        ):
            MMLogger.get_current_instance().info(f'Evaluating {name}')
            named = {
                f'{metric.prefix}/{key}' if metric.prefix else key: value
                for key, value in metric.compute_metrics(results[start:end]).items()
            }
            details = dict(getattr(metric, 'details', {}))
            details.pop('pictures', None)
            if (source := getattr(metric, 'ann_file', None)) is not None:
                details = {'ann_file': str(source), **details}
            rows[name] = SetRow(name, named, end - start, details=details)
            for key, value in named.items():
                values[f'{name}/{key}'] = value
                by_name.setdefault(key, []).append(value)
        for key, numbers in by_name.items():
            if len(numbers) == len(self.dataset_prefixes):
                defined = [value for value in numbers if value >= 0]
                values[key] = round(float(np.mean(defined)), 4) if defined else -1.0
        if absent := len(self.sets) - len(rows):
            # The mean above is over fewer sets than its name says.
            values |= {'sets/evaluated': len(rows), 'sets/absent': absent}
        self._show(rows)
        return values

    def _show(self, rows: Mapping[str, SetRow]) -> None:
        """The table of all sets, with what the config says of each."""
        shown = []
        for entry in self.sets:
            known = {k: v for k, v in entry.items() if k not in ('name', 'absent')}
            row = rows.get(entry['name']) or SetRow(
                entry['name'], absent=entry['absent']
            )
            shown.append(replace(row, details={**known, **row.details}))
        table = SetTable(tuple(shown), self.about)
        if not table.keys:  # such as with format_only
            return
        self.table = table
        logger = MMLogger.get_current_instance()
        logger.info(f'\n{table.markdown()}')
        absent = [row for row in table.rows if row.absent is not None]
        for row in absent:
            logger.warning(f'{row.name} is absent: there is no {row.absent}')
        if self.out_dir is not None:
            try:
                paths = table.write(self.out_dir)
            except ConfigError as error:  # not worth the loss of the results
                print_log(one_line(error), 'current', logging.WARNING)
            else:
                others = ', '.join(path.name for path in paths[1:])
                logger.info(f'written: {paths[0]}, {others}')
