"""Human data and generated records become the training data of a student."""

from __future__ import annotations

import copy
import os
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip.errors import ConfigError
from glip.registry import DATASETS
from glip.teach.pseudo_labels import Labels
from glip.teach.self_training.settings import SelfTraining


def student_config(cfg: Config, labels: Labels, settings: SelfTraining) -> Config:
    """The config with generated records among its training data.

    Indexed sets become a ``ConcatDataset`` under a ``MixtureSampler``, streams a
    ``MixedStream``; data that is such a mixture already keeps its own ratios.

    Args:
        cfg: Not changed.
        labels: What the teacher wrote.
        settings: ``share`` and ``dataset``.

    Raises:
        ConfigError: The records need a share, or a pipeline, that the config lacks.
    """
    cfg = copy.deepcopy(cfg)
    loader = cfg.train_dataloader
    human, generated = loader.dataset, generated_dataset(cfg, labels, settings)
    share = settings.share
    sampler = loader.get('sampler') or {}
    streams = human.type == 'MixedStream' or generated['type'] == 'ODVGStream'
    mixture = sampler.get('type') == 'MixtureSampler'
    if share is None and (streams or mixture):
        raise ConfigError(
            'self_training.share is missing: streams and a MixtureSampler mix by '
            'shares, such as share=0.5'
        )
    if streams:
        loader.dataset = _stream(cfg, human, generated, share)
        loader.sampler = loader.batch_sampler = None
        return cfg
    loader.dataset = dict(type='ConcatDataset', datasets=[human, generated])
    if share is None:
        return cfg
    ratios = [1 - share]
    epoch_size = None
    if mixture:
        loader.dataset.datasets = [*human.datasets, generated]
        ratios = [ratio * (1 - share) / sum(sampler.ratios) for ratio in sampler.ratios]
        epoch_size = sampler.get('epoch_size')
    if epoch_size is None and _by_epoch(cfg):
        epoch_size = _size(human)
    loader.sampler = dict(
        sampler if mixture else {},
        type='MixtureSampler',
        ratios=[*ratios, share],
        epoch_size=epoch_size,
    )
    return cfg


def generated_dataset(
    cfg: Config, labels: Labels, settings: SelfTraining
) -> dict[str, Any]:
    """The config of the data set that reads what a teacher wrote.

    Raises:
        ConfigError: There is no pipeline for it.
    """
    given = copy.deepcopy(dict(settings.dataset))
    pipeline = given.pop('pipeline', None) or cfg.get('train_pipeline')
    if not pipeline:
        raise ConfigError(
            'self_training.dataset has no pipeline, and the config no train_pipeline '
            'to take in its place'
        )
    tar = not labels.records.endswith('.jsonl')
    files = (
        dict(type='ODVGStream', shards=labels.records)
        if tar
        else dict(
            type='ODVGDataset',
            data_root='',
            ann_file=labels.records,
            data_prefix=dict(img=os.path.join(labels.data_root, '')),
        )
    )
    if labels.label_map:
        files['label_map_file'] = labels.label_map
    filters = dict(filter_empty_gt=True)
    return dict(filter_cfg=filters) | given | files | dict(pipeline=pipeline)


def _stream(cfg: Config, human: Any, generated: dict, share: float) -> dict[str, Any]:
    """A ``MixedStream`` of both; one that is there gets a further source."""
    if human.type == 'MixedStream':
        ratios = human.get('ratios') or [1] * len(human.datasets)
        parts = dict(human, datasets=[*human.datasets, generated])
    else:
        ratios = [1]
        group = cfg.train_dataloader.get('batch_size', 1)
        parts = dict(type='MixedStream', datasets=[human, generated], group_size=group)
        if _by_epoch(cfg):
            parts['epoch_size'] = _size(human)
    scaled = [ratio * (1 - share) / sum(ratios) for ratio in ratios]
    return dict(parts, ratios=[*scaled, share])


def _by_epoch(cfg: Config) -> bool:
    loop = cfg.train_cfg
    return loop.get('type') != 'IterBasedTrainLoop' and loop.get('by_epoch', True)


def _size(dataset: Any) -> int:
    """Samples of the human data, as many as an epoch of the teacher has."""
    with DefaultScope.overwrite_default_scope('glip'):
        return len(DATASETS.build(copy.deepcopy(dataset)))
