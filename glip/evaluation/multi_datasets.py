"""One metric for each part of mixed data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dist import broadcast_object_list, collect_results, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.evaluator.metric import _to_cpu
from mmengine.logging import MMLogger
from mmengine.structures import BaseDataElement

from glip.errors import ConfigError
from glip.registry import EVALUATOR


@EVALUATOR.register_module()
class MultiDatasetsEvaluator(Evaluator):
    """Evaluate each part of a ``ConcatDataset`` by its own metric and classes.

    Results are named ``<data set>/<metric>``; what all parts have is also given as
    plain mean under the metric's own name, which ``save_best`` can watch. -1, COCO's
    mark for nothing to find, does not enter the mean.

    Args:
        metrics: One metric, or its config, for each part. Further ones that are
            appended later see all parts as one.
        dataset_prefixes: A name for each part.

    Raises:
        ConfigError: Not one metric and one name for each part.
    """

    def __init__(self, metrics: Sequence[Any], dataset_prefixes: Sequence[str]) -> None:
        super().__init__(metrics)
        self.dataset_prefixes = list(dataset_prefixes)
        if len(self.metrics) != len(self.dataset_prefixes):
            raise ConfigError(
                f'{len(self.metrics)} metrics for the data sets '
                f'{self.dataset_prefixes}: give one for each'
            )

    @property
    def dataset_meta(self) -> dict[str, Any] | None:
        """Metainfo of the mixed data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping[str, Any]) -> None:
        self._dataset_meta = dict(dataset_meta)
        parts = self._dataset_meta.get('parts', [])
        if len(parts) != len(self.metrics):
            raise ConfigError(
                f'{len(self.metrics)} metrics for {len(parts)} data sets: '
                'MultiDatasetsEvaluator belongs to a ConcatDataset with as many parts'
            )
        for metric, part in zip(self.metrics, parts):
            metric.dataset_meta = part

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
        """Hand the results to the metric of their part and name what they say.

        Args:
            size: Number of samples of all parts together.
        """
        first = self.metrics[0]
        results = collect_results(first.results, size, first.collect_device)
        first.results.clear()
        values: list[Any] = [None]
        if is_main_process():
            values[0] = self._by_part(_to_cpu(results))
        broadcast_object_list(values)
        for metric in self.metrics[len(self.dataset_prefixes) :]:
            values[0] |= metric.evaluate(size)
        return values[0]

    def _by_part(self, results: list[Any]) -> dict[str, float]:
        """Split by the order the samples were shown in, which is the data set's."""
        ends = self._dataset_meta['cumulative_sizes']
        values: dict[str, float] = {}
        by_name: dict[str, list[float]] = {}
        for name, start, end, metric in zip(
            self.dataset_prefixes, [0, *ends], ends, self.metrics
        ):
            MMLogger.get_current_instance().info(f'Evaluating {name}')
            for key, value in metric.compute_metrics(results[start:end]).items():
                key = f'{metric.prefix}/{key}' if metric.prefix else key
                values[f'{name}/{key}'] = value
                by_name.setdefault(key, []).append(value)
        for key, found in by_name.items():
            if len(found) == len(self.dataset_prefixes):
                defined = [value for value in found if value >= 0]
                values[key] = round(float(np.mean(defined)), 4) if defined else -1.0
        return values
