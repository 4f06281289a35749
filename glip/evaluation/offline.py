"""Evaluate predictions that lie in a file, without the model that made them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import BaseDataElement

from glip.config.building import build_errors_explained
from glip.config.custom_data import apply_custom_data
from glip.errors import ConfigError
from glip.evaluation.predictions import check_pictures
from glip.registry import DATASETS, EVALUATOR
from glip.runtime.leaves import iter_leaves

SPLITS = ('train', 'val', 'test')

# Of a pipeline, what makes true boxes of annotations; the rest needs the pictures.
_ANNOTATIONS = ('LoadAnnotations', 'PackDetInputs')


def build_dataset(cfg: Config, split: str = 'test') -> Any:
    """Build the data set of a config's data loader and read its annotations.

    Args:
        cfg: ``custom_data`` is put in number in it.
        split: One of ``SPLITS``.

    Raises:
        ConfigError: It has no such data loader, or it cannot be built.
        DatasetError: The data is not usable.
    """
    apply_custom_data(cfg)
    loader = cfg.get(f'{split}_dataloader')
    if not loader or 'dataset' not in loader:
        others = [s for s in SPLITS if cfg.get(f'{s}_dataloader')]
        raise ConfigError(
            f'{cfg.filename or "the config"} has no {split}_dataloader with a data set'
            + (f'; it has {", ".join(others)}' if others else '')
        )
    with DefaultScope.overwrite_default_scope('glip'), build_errors_explained(cfg):
        dataset = DATASETS.build(loader['dataset'])
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
    return dataset


def evaluate_predictions(
    cfg: Config, predictions: Sequence[Mapping[str, Any]], dataset: Any = None
) -> dict[str, float]:
    """Compute the results of a config's metrics.

    What metrics ask of true boxes is taken from the data set, as files of predictions
    do not hold it.

    Args:
        cfg: With ``test_dataloader`` and ``test_evaluator``; ``val_evaluator`` stands
            in for a missing one.
        predictions: One data sample per picture, in the order of the data set (see
            :func:`glip.evaluation.predictions.read_predictions`).
        dataset: The config's, where it is built already.

    Returns:
        The results by name.

    Raises:
        ConfigError: Data or metrics are missing, or cannot be built.
        DatasetError: The predictions are of other pictures or classes.
    """
    if dataset is None:
        dataset = build_dataset(cfg)
    parts = list(iter_leaves(dataset))
    infos = [part.get_data_info(i) for part in parts for i in range(len(part))]
    source = ', '.join(str(getattr(part, 'ann_file', part)) for part in parts)
    check_pictures(predictions, (info['img_id'] for info in infos), source)
    given = cfg.get('test_evaluator') or cfg.get('val_evaluator')
    if not given:
        raise ConfigError(f'{cfg.filename or "the config"} has no test_evaluator')
    with DefaultScope.overwrite_default_scope('glip'):
        evaluator = _evaluator(given, cfg)
        evaluator.dataset_meta = dataset.metainfo
        number = 0
        for part in parts:
            pipeline = _without_pictures(part)
            for _ in range(len(part)):
                sample = dict(predictions[number])
                sample = _with_truth(sample, infos[number], pipeline)
                infos[number] = None  # they are many, and needed once
                evaluator.process([sample])
                number += 1
        return evaluator.evaluate(len(predictions))


def _evaluator(given: Any, cfg: Config) -> Any:
    """One that has all the metrics."""
    given = copy.deepcopy(given)
    if not isinstance(given, Mapping) or 'metrics' not in given:
        given = {'type': 'Evaluator', 'metrics': given}
    with build_errors_explained(cfg):
        return EVALUATOR.build({'type': 'Evaluator', **given})


def _without_pictures(dataset: Any) -> list[Any]:
    """The steps of a pipeline that need annotations only."""
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    return [step for step in steps if type(step).__name__ in _ANNOTATIONS]


def _with_truth(
    sample: dict[str, Any], info: dict[str, Any], pipeline: Sequence[Any]
) -> dict[str, Any]:
    """A prediction with the true boxes of its picture, in original pixels."""
    if 'gt_instances' in sample or len(pipeline) < len(_ANNOTATIONS):
        return sample
    size = (info['height'], info['width'])
    record = dict(info, img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0))
    for step in pipeline:
        record = step(record)
    packed = record['data_samples']
    for key, value in packed.to_dict().items():
        if key not in sample:
            sample[key] = _plain(value)
    return sample


def _plain(value: Any) -> Any:
    """What a metric is shown after a model ran: dicts of tensors."""
    if isinstance(value, BaseDataElement):
        return value.to_dict()
    if isinstance(value, torch.Tensor):
        return value.cpu()
    return value
