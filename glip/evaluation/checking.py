"""What can be known of an evaluation before the hours that lead to it."""

from __future__ import annotations

from typing import Any

from mmengine.dist import is_main_process
from mmengine.evaluator import Evaluator

from glip.errors import ConfigError, DatasetError
from glip.evaluation.multi_datasets import MultiDatasetsEvaluator


def check_evaluator(evaluator: Evaluator, dataset: Any) -> None:
    """Let each metric compare the pictures it will be shown with its annotations.

    Metrics that have annotations of their own have ``check_pictures(image_ids)``, which
    raises a ``DatasetError``; others, and data sets without ``image_ids``, pass.

    Raises:
        ConfigError: One metric is shown the pictures of several data sets.
        DatasetError: Pictures or classes are not those of a metric's annotations.
    """
    if not is_main_process():  # the others hold no annotations
        return
    parts = list(getattr(dataset, 'datasets', ()))
    if isinstance(evaluator, MultiDatasetsEvaluator):
        for metric, part in zip(evaluator.metrics, parts):
            _check(metric, part)
        return
    for metric in evaluator.metrics:
        try:
            _check(metric, dataset)
        except DatasetError as error:
            if len(parts) < 2:
                raise
            raise ConfigError(
                f'{type(metric).__name__} is shown the pictures of all {len(parts)} '
                f'data sets ({error}); evaluate each by a metric of its own: '
                "evaluator=dict(type='MultiDatasetsEvaluator', metrics=[one for each], "
                'dataset_prefixes=[a name for each])'
            ) from error


def _check(metric: Any, dataset: Any) -> None:
    image_ids = getattr(dataset, 'image_ids', None)
    if image_ids is not None and hasattr(metric, 'check_pictures'):
        metric.check_pictures(image_ids)
