"""A user's own data by naming it: ``custom_data`` in a config."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from glip.errors import ConfigError

_KEYS = {'data_root', 'classes', 'train', 'val', 'test', 'batch_size', 'num_workers'}
_SET_KEYS = {
    'ann_file',
    'classes',
    'data_root',
    'format',
    'img',
    'label_map',
    'name',
    'repeat',
}
_TYPES = {'coco': 'CocoDataset', 'odvg': 'ODVGDataset', 'mdetr': 'MDETRDataset'}
_BEST_OF_PHRASES = 'flickr30k/R@1'


def apply_custom_data(cfg: Config) -> Config:
    """Put what ``cfg.custom_data`` names into the data loaders and evaluators.

    A config inherits its loaders from ``_base_`` files that are evaluated before it,
    so variables it sets cannot reach them. This mapping does, and the pipelines,
    samplers and metric settings of the base stay as they are::

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
    names the classes of its detection records) or ``'mdetr'``. The last two hold
    captions with phrases, which are evaluated by the recall of phrases.

    Args:
        cfg: Changed in place; ``custom_data`` is used up.

    Raises:
        ConfigError: A key is unknown or missing, or the base has no loader to fill.
    """
    custom = cfg.pop('custom_data', None)
    if not custom:
        return cfg
    _check_keys(custom, _KEYS, 'custom_data')
    stages = {stage: _sets(custom, stage) for stage in ('train', 'val', 'test')}
    stages['test'] = stages['test'] or stages['val']
    if not any(stages.values()):
        raise ConfigError('custom_data names neither train nor val nor test')
    for stage, sets in stages.items():
        if sets:
            _fill(cfg, stage, sets, custom)
        else:
            _drop(cfg, stage)
    return cfg


def _check_keys(given: Mapping[str, Any], known: set[str], where: str) -> None:
    """A misspelt key must not be silently without effect."""
    unknown = sorted(set(given) - known)
    if unknown:
        raise ConfigError(
            f'{where} has unknown keys {", ".join(unknown)}; it takes '
            f'{", ".join(sorted(known))}'
        )


def _sets(custom: Mapping[str, Any], stage: str) -> list[dict[str, Any]]:
    """The sets of one stage as mappings with absolute meaning."""
    given = custom.get(stage) or []
    given = [given] if isinstance(given, (str, Mapping)) else given
    sets = []
    for number, entry in enumerate(given):
        where = f'custom_data.{stage}' + (f'[{number}]' if len(given) > 1 else '')
        entry = {'ann_file': entry} if isinstance(entry, str) else dict(entry)
        _check_keys(entry, _SET_KEYS, where)
        if not entry.get('ann_file'):
            raise ConfigError(f'{where} needs ann_file, its annotations')
        root = entry.get('data_root', custom.get('data_root')) or ''
        folder = entry.get('img')
        if folder is None:
            folder = os.path.dirname(entry['ann_file'])
        sets.append(
            {
                'format': _format(entry, stage, where),
                'label_map': entry.get('label_map'),
                'data_root': root,
                'ann_file': entry['ann_file'],
                'data_prefix': {'img': folder},
                'classes': entry.get('classes', custom.get('classes')),
                'repeat': entry.get('repeat', 1) if stage == 'train' else 1,
                'name': entry.get('name') or _name(root, entry['ann_file']),
            }
        )
    return sets


def _format(entry: Mapping[str, Any], stage: str, where: str) -> str:
    """How the annotations are written: as said, or by the name of the file."""
    by_name = 'odvg' if str(entry['ann_file']).endswith('.jsonl') else 'coco'
    kind = entry.get('format') or by_name
    if kind not in _TYPES:
        known = ', '.join(_TYPES)
        raise ConfigError(f'{where} has the format {kind!r}; known: {known}')
    if entry.get('label_map') and kind != 'odvg':
        raise ConfigError(
            f'{where} has a label_map, which only the odvg format (.jsonl) takes'
        )
    if entry.get('label_map') and stage != 'train':
        raise ConfigError(
            f'{where}: detection records of ODVG are for training; name the '
            'COCO-format file of the same pictures to evaluate'
        )
    return kind


def _name(root: str, ann_file: str) -> str:
    """What to call a set that has no name: its folder."""
    path = os.path.normpath(os.path.join(root, ann_file))
    folders = os.path.dirname(path).split(os.sep)
    plain = {'annotations', 'train', 'valid', 'val', 'test', 'train2017', 'val2017'}
    useful = [folder for folder in folders if folder and folder not in plain]
    return useful[-1] if useful else 'data'


def _fill(
    cfg: Config, stage: str, sets: list[dict[str, Any]], custom: Mapping[str, Any]
) -> None:
    """Loader and evaluator of one stage."""
    loader = cfg.get(f'{stage}_dataloader')
    if not loader:
        raise ConfigError(
            f'custom_data.{stage} has no {stage}_dataloader to go into; inherit one '
            "from a base, such as '../_base_/datasets/coco_detection.py'"
        )
    template = _innermost(loader['dataset'])
    datasets = [_dataset(template, entry) for entry in sets]
    if len(datasets) == 1 and sets[0]['repeat'] == 1:
        loader['dataset'] = datasets[0]
    else:
        loader['dataset'] = {
            'type': 'ConcatDataset',
            'datasets': datasets,
            'repeats': [entry['repeat'] for entry in sets],
        }
    if stage == 'train' and custom.get('batch_size'):
        loader['batch_size'] = custom['batch_size']
    if custom.get('num_workers') is not None:
        loader['num_workers'] = custom['num_workers']
        if not custom['num_workers']:
            loader['persistent_workers'] = False
    if stage != 'train':
        cfg[f'{stage}_evaluator'] = _evaluator(cfg.get(f'{stage}_evaluator'), sets)
        checkpoint = cfg.get('default_hooks', {}).get('checkpoint', {})
        if stage == 'val' and sets[0]['format'] != 'coco' and 'save_best' in checkpoint:
            checkpoint['save_best'] = _BEST_OF_PHRASES


def _innermost(dataset: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data set inside wrappers that repeat or mix."""
    while 'pipeline' not in dataset or 'dataset' in dataset or 'datasets' in dataset:
        inner = dataset.get('dataset') or (dataset.get('datasets') or [None])[0]
        if inner is None:
            break
        dataset = inner
    return dataset


def _dataset(template: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The base's data set, of other files."""
    dataset = {
        key: copy.deepcopy(value)
        for key, value in template.items()
        if key not in ('metainfo', 'type', 'caption_prompt', 'label_map_file')
    }
    dataset['type'] = _TYPES[entry['format']]
    if entry['label_map']:
        dataset['label_map_file'] = entry['label_map']
    for key in ('data_root', 'ann_file', 'data_prefix'):
        dataset[key] = entry[key]
    if entry['classes'] is not None:
        dataset['metainfo'] = {'classes': tuple(entry['classes'])}
    return dataset


def _evaluator(base: Any, sets: list[dict[str, Any]]) -> dict[str, Any]:
    """The base's COCO metric on other annotations, or recall, one for each set."""
    while isinstance(base, (list, tuple)) or (base and 'metrics' in base):
        base = base[0] if isinstance(base, (list, tuple)) else base['metrics']
    of_phrases = [entry['format'] != 'coco' for entry in sets]
    if any(of_phrases) and not all(of_phrases):
        raise ConfigError(
            'custom_data: boxes of classes and phrases of captions cannot be evaluated '
            'in one run; name one kind under val and test the other on its own'
        )
    if all(of_phrases):
        metrics = [{'type': 'Flickr30kMetric'} for _ in sets]
    else:
        base = dict(base or {}, type='CocoMetric')
        metrics = [
            dict(base, ann_file=os.path.join(entry['data_root'], entry['ann_file']))
            for entry in sets
        ]
    if len(metrics) == 1:
        return metrics[0]
    names = [entry['name'] for entry in sets]
    if len(set(names)) < len(names):
        raise ConfigError(
            f'custom_data: the sets are called {names}; give each a name of its own'
        )
    return {
        'type': 'MultiDatasetsEvaluator',
        'metrics': metrics,
        'dataset_prefixes': names,
    }


def _drop(cfg: Config, stage: str) -> None:
    """Without data there is no stage."""
    for key in (f'{stage}_dataloader', f'{stage}_evaluator', f'{stage}_cfg'):
        cfg[key] = None
    if stage == 'val':
        checkpoint = cfg.get('default_hooks', {}).get('checkpoint')
        if checkpoint:
            checkpoint.pop('save_best', None)
