"""A user's own data by naming it: ``custom_data`` in a config."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from glip.config.custom_sets import TYPES, CustomSet, check_keys, sets_by_stage
from glip.errors import ConfigError
from glip.runtime.leaves import iter_paths

_KEYS = {
    *('data_root', 'classes', 'train', 'val', 'test', 'batch_size', 'num_workers'),
    *('folder', 'split', 'train_split', 'skip_missing', 'use_caption_prompt'),
}
_OF_BOXES = ('CocoMetric', 'LVISMetric')
_OF_PHRASES = ('Flickr30kMetric', 'RefExpMetric')
_BEST_OF_PHRASES = 'flickr30k/R@1'


def apply_custom_data(cfg: Config) -> Config:
    """Put what ``cfg.custom_data`` names into the data loaders and evaluators.

    A config inherits its loaders from ``_base_`` files that are evaluated before it,
    so variables it sets cannot reach them. This mapping does, and the pipelines,
    samplers and metrics of the base stay as they are, and so does what repeats or
    balances its data set, then around each of the sets::

        custom_data = dict(
            data_root='data/raccoon/',
            train=dict(ann_file='train/annotations.json', img='train/'),
            val=dict(ann_file='valid/annotations.json', img='valid/'))

    ``train``, ``val`` and ``test`` name one set, or a list of sets that are mixed and
    evaluated one by one. ``img`` is the folder of the pictures, by default the
    annotation file's; ``classes`` (for all or per set) are by default those of the
    annotation file; ``repeat`` trains on a set several times per epoch; ``name`` is its
    heading in the results. ``test`` is by default ``val``; without ``val`` nothing is
    evaluated. ``batch_size`` is that of training.

    ``format`` is ``'coco'``, ``'odvg'`` (by default that of ``.jsonl``; ``label_map``
    names the classes of its detection records, ``min_score``, ``singular_score`` and
    ``weigh_by_score`` say
    what becomes of a teacher's scores in training) or ``'mdetr'``. The last two hold
    captions with phrases, which are evaluated by the recall of phrases.

    ``folder`` stands for ``test``: all sets below it that are laid out as
    :func:`glip.config.coco_folders.find_sets` says. ``split`` is which of their
    splits (``'val'``), or several, of which the first that a set has counts;
    ``train_split`` trains on that split of all of them, and validates on ``split``.

    With ``skip_missing`` the sets that are not there, or have no such split, are left
    out of the evaluation and listed as absent. ``caption_prompt`` of a set has other
    words for its classes, which ``use_caption_prompt=False`` (of all) ignores;
    ``category_names`` calls the categories of its file otherwise, in the order of
    their ids.

    Args:
        cfg: Changed in place; ``custom_data`` is used up.

    Raises:
        ConfigError: A key is unknown or missing, or the base has no loader to fill.
        DatasetError: There is no such folder, no set in it, or none of the sets.
    """
    custom = cfg.pop('custom_data', None)
    if not custom:
        return cfg
    check_keys(custom, _KEYS, 'custom_data')
    for stage, sets in sets_by_stage(custom).items():
        if sets:
            _fill(cfg, stage, sets, custom)
        else:
            _drop(cfg, stage)
    return cfg


def _fill(
    cfg: Config, stage: str, sets: Sequence[CustomSet], custom: Mapping[str, Any]
) -> None:
    """Loader and evaluator of one stage."""
    loader = cfg.get(f'{stage}_dataloader')
    if not loader:
        raise ConfigError(
            f'custom_data.{stage} has no {stage}_dataloader to go into; inherit one '
            "from a base, such as '../_base_/datasets/coco_detection.py'"
        )
    *around, template = next(iter_paths(loader['dataset']))
    wrappers = [wrapper for wrapper in around if 'dataset' in wrapper]
    present = [entry for entry in sets if entry.absent is None]
    datasets = [_wrapped(_dataset(template, entry), wrappers) for entry in present]
    many = len(sets) > 1 or bool(custom.get('folder')) or sets[0].repeat > 1
    if not many:
        loader['dataset'] = datasets[0]
    else:
        loader['dataset'] = {
            'type': 'ConcatDataset',
            'datasets': datasets,
            'repeats': [entry.repeat for entry in present],
        }
    if stage == 'train' and custom.get('batch_size') is not None:
        loader['batch_size'] = custom['batch_size']
    if custom.get('num_workers') is not None:
        loader['num_workers'] = custom['num_workers']
        if not custom['num_workers']:
            loader['persistent_workers'] = False
    if stage != 'train':
        base = cfg.get(f'{stage}_evaluator')
        cfg[f'{stage}_evaluator'] = _evaluator(base, sets, many)
        checkpoint = cfg.get('default_hooks', {}).get('checkpoint', {})
        if stage == 'val' and sets[0].format != 'coco' and 'save_best' in checkpoint:
            checkpoint['save_best'] = _BEST_OF_PHRASES


def _dataset(template: Mapping[str, Any], entry: CustomSet) -> dict[str, Any]:
    """The base's data set, of other files."""
    dataset = {
        key: copy.deepcopy(value)
        for key, value in template.items()
        if key not in ('metainfo', 'type', 'caption_prompt', 'label_map_file')
    }
    dataset['type'] = TYPES[entry.format]
    if entry.label_map:
        dataset['label_map_file'] = entry.label_map
    dataset['data_root'] = entry.data_root
    dataset['ann_file'] = entry.ann_file
    dataset['data_prefix'] = {'img': entry.img}
    dataset.update(entry.scores)
    if entry.caption_prompt:
        dataset['caption_prompt'] = copy.deepcopy(entry.caption_prompt)
    metainfo = {'classes': entry.classes, 'category_names': entry.category_names}
    metainfo = {key: names for key, names in metainfo.items() if names is not None}
    if metainfo:
        dataset['metainfo'] = metainfo
    return dataset


def _wrapped(
    dataset: dict[str, Any], wrappers: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A data set in what repeats, balances or mixes that of the base."""
    for wrapper in reversed(wrappers):
        fields = {k: copy.deepcopy(v) for k, v in wrapper.items() if k != 'dataset'}
        dataset = {**fields, 'dataset': dataset}
    return dataset


def _evaluator(base: Any, sets: Sequence[CustomSet], many: bool) -> Any:
    """The base's metrics on other annotations, or recall, one for each set."""
    of_phrases = [entry.format != 'coco' for entry in sets]
    if any(of_phrases) and not all(of_phrases):
        raise ConfigError(
            'custom_data: boxes of classes and phrases of captions cannot be evaluated '
            'in one run; name one kind under val and test the other on its own'
        )
    present = [entry for entry in sets if entry.absent is None]
    of_sets, others = _metrics(base)
    if all(of_phrases):
        metrics: list[dict[str, Any]] = [{'type': 'Flickr30kMetric'} for _ in present]
    else:
        main = dict(next(iter(of_sets), {}), type='CocoMetric')
        metrics = [dict(main, ann_file=entry.path) for entry in present]
    if not many and not any(of_phrases):
        others = [dict(m, ann_file=present[0].path) for m in of_sets[1:]] + others
    elif len(of_sets) > 1:
        print_log(
            'custom_data: of the metrics with an ann_file the first evaluates each of '
            f'several sets; left out: {[metric["type"] for metric in of_sets[1:]]}',
            'current',
            logging.WARNING,
        )
    if not many:
        return [*metrics, *others] if others else metrics[0]
    names = [entry.name for entry in sets]
    if len(set(names)) < len(names):
        raise ConfigError(
            f'custom_data: the sets are called {names}; give each a name of its own'
        )
    return {
        'type': 'MultiDatasetsEvaluator',
        'metrics': metrics,
        **({'others': others} if others else {}),
        'dataset_prefixes': [entry.name for entry in present],
        'sets': [entry.facts for entry in sets],
    }


def _metrics(base: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The base's metrics of boxes in one set's annotations, and those of any data."""
    if base and 'metrics' in base:
        by_part = _kind(base) == 'MultiDatasetsEvaluator'
        of_sets, others = _metrics(base['metrics'])
        more = _metrics(base.get('others'))[1]
        return (of_sets[:1] if by_part else of_sets), others + more
    listed = [base] if isinstance(base, Mapping) else base or ()
    listed = [copy.deepcopy(dict(m)) for m in listed if _kind(m) not in _OF_PHRASES]
    of_sets = [m for m in listed if 'ann_file' in m or _kind(m) in _OF_BOXES]
    return of_sets, [m for m in listed if m not in of_sets]


def _kind(config: Mapping[str, Any]) -> str:
    built = config.get('type', 'CocoMetric')
    name = built if isinstance(built, str) else built.__name__
    return name.rpartition('.')[2]


def _drop(cfg: Config, stage: str) -> None:
    """Without data there is no stage."""
    for key in (f'{stage}_dataloader', f'{stage}_evaluator', f'{stage}_cfg'):
        cfg[key] = None
    if stage == 'train':
        cfg.optim_wrapper = cfg.param_scheduler = None
    if stage == 'val':
        checkpoint = cfg.get('default_hooks', {}).get('checkpoint')
        if checkpoint:
            checkpoint.pop('save_best', None)
