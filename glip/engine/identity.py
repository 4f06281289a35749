"""What the results of an evaluation depend on, in a few words that can be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from glip.checkpoints.digest import digest_of
from glip.engine.spool import Identity
from glip.runtime.leaves import iter_leaves
from glip.runtime.processes import unwrapped

# Arguments of metrics that matter at the end only, not to what is kept of a picture.
_OUTPUT_OPTIONS = frozenset(
    {
        'classwise',
        'collect_device',
        'collect_dir',
        'format_only',
        'metric_items',
        'out_file_path',
        'outfile_prefix',
        'prefix',
    }
)


def identity_of(runner: Any, dataset: Any, evaluator: Any) -> Identity:
    """What is evaluated: checkpoint, settings of the model, data set and evaluator.

    Batch size, workers and processes are not part of it, as nothing depends on them.

    Args:
        runner: Its model has the weights already.
        dataset: Of the test.
        evaluator: Of the test.

    Returns:
        Name -> (digest, what to call it in a message).
    """
    cfg = runner.cfg
    loader = cfg.get('test_dataloader') or {}
    data = loader.get('dataset') if isinstance(loader, Mapping) else None
    options = {k: v for k, v in (cfg.get('test_cfg') or {}).items() if k != 'resume'}
    metrics = [type(metric).__name__ for metric in evaluator.metrics]
    return {
        'checkpoint': (
            digest_of_weights(runner.model),
            str(cfg.get('load_from') or ''),
        ),
        'model config': (digest_of_values([cfg.get('model'), options]), ''),
        'data set': (
            digest_of_values([data, _of_data(dataset)]),
            f'{len(dataset)} pictures of {_name(dataset)}',
        ),
        'evaluator': (
            digest_of_values([_without_output(cfg.get('test_evaluator')), metrics]),
            ', '.join(metrics),
        ),
    }


def difference(old: Identity, new: Identity) -> str:
    """The first thing in which two evaluations differ, in words; '' if in none."""
    for name, (digest, shown) in new.items():
        before, shown_before = old.get(name, ('', ''))
        if before != digest:
            if shown_before == shown:
                return f'another {name}'
            return f'another {name} ({shown_before or "none"}, not {shown or "none"})'
    return ''


def digest_of_weights(model: Any) -> str:
    """A digest of all weights of a model, and of its tuned prompt."""
    model = unwrapped(model)
    tensors = dict(model.state_dict())
    inner = getattr(model, 'module', model)  # within TTA
    prompt = getattr(inner, 'tuned_prompt', None)
    if prompt is not None:
        tensors['tuned_prompt'] = prompt.offsets
    return digest_of(tensors)


def _of_data(dataset: Any) -> str:
    """A digest of the annotations, through data sets that join or wrap others."""
    return digest_of_values([len(dataset), *map(_of_leaf, iter_leaves(dataset))])


def _of_leaf(dataset: Any) -> str:
    packed = getattr(dataset, 'data_bytes', None)
    if packed is not None:
        content = hashlib.blake2b(memoryview(packed), digest_size=16).hexdigest()
    else:
        content = repr(getattr(dataset, 'data_list', None))
    names = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    return digest_of_values([len(dataset), content, names])


def _without_output(evaluator: Any) -> Any:
    """A config of metrics without the arguments that only matter at the end."""
    if isinstance(evaluator, Mapping):
        return {
            key: _without_output(value)
            for key, value in evaluator.items()
            if key not in _OUTPUT_OPTIONS
        }
    if isinstance(evaluator, (list, tuple)):
        return [_without_output(value) for value in evaluator]
    return evaluator


def digest_of_values(values: Any) -> str:
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _name(dataset: Any) -> str:
    """The annotation file, the number of data sets, or else the kind."""
    dataset, *others = iter_leaves(dataset)
    if others:
        return f'{len(others) + 1} data sets'
    return str(getattr(dataset, 'ann_file', '') or type(dataset).__name__)
