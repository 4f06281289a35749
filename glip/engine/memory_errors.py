"""What to lower when the memory of a training or an evaluation is full."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.config import Config

from glip.config.checkpointing import CHECKPOINT_FIELDS, CHECKPOINTED_PARTS
from glip.errors import TrainingError

_CPU_MESSAGES = ("can't allocate memory", 'not enough memory', 'out of memory')
_WORKER = re.compile(r'DataLoader worker .*killed by signal: (\w+( error)?)')


@contextmanager
def memory_errors_explained(cfg: Config, *, training: bool) -> Iterator[None]:
    """Turn running out of memory into one line that says what to lower.

    Args:
        cfg: The run's config, whose values the line tells.
        training: Whether it trains or evaluates.

    Raises:
        TrainingError: Memory of the GPU or of the computer does not suffice.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        what = _what_ran_out(error)
        if what is None:
            raise
        advice = _training_advice(cfg) if training else _test_advice(cfg)
        raise TrainingError(f'{what}: {advice}') from error


def _what_ran_out(error: Exception) -> str | None:
    text = str(error)
    worker = _WORKER.search(text)
    if worker:
        return (
            f'a loading process was killed ({worker[1]}), most likely for its memory: '
            'lower num_workers or, in a container, give it more shared memory; or'
        )
    if isinstance(error, torch.OutOfMemoryError):
        where = 'the memory of the GPU is full'
    elif isinstance(error, MemoryError) or any(m in text for m in _CPU_MESSAGES):
        where = "the computer's memory is full"
    else:
        return None
    amount = re.search(r'tried to allocate ([\d.]+) ?(bytes|[KMG]iB)', text, re.I)
    return f'{where} (asked for {amount[1]} {amount[2]} more)' if amount else where


def _training_advice(cfg: Config) -> str:
    loader = cfg.get('train_dataloader') or {}
    wrapper = cfg.get('optim_wrapper') or {}
    amp = 'on' if 'Amp' in str(wrapper.get('type')) else 'off'
    size = _largest_scale(loader.get('dataset'))
    checkpointed = any(
        part.get(field)
        for part in map((cfg.get('model') or {}).get, CHECKPOINTED_PARTS)
        if isinstance(part, Mapping)
        for field in CHECKPOINT_FIELDS
    )
    return (
        f'lower train_dataloader.batch_size (now {loader.get("batch_size")}; '
        'optim_wrapper.accumulative_counts makes up for it, now '
        f'{wrapper.get("accumulative_counts", 1)}), set use_checkpoint=True (now '
        f'{checkpointed}), train with --amp (now {amp}), or lower the scales of the '
        f'training pipeline (now up to {size})'
    )


def _test_advice(cfg: Config) -> str:
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
    at_once = ((cfg.get('model') or {}).get('test_cfg') or {}).get('prompt_batch_size')
    return (
        f'lower test_dataloader.batch_size (now {loader.get("batch_size")}), '
        f'model.test_cfg.prompt_batch_size (now {at_once or 4}), or the scale of the '
        f'test pipeline (now {_largest_scale(loader.get("dataset"))})'
    )


def _largest_scale(node: Any) -> str:
    """The largest picture size that the transforms of a data set name."""
    largest = max(_scales(node), key=lambda s: s[0] * s[1], default=None)
    return f'{largest[0]} x {largest[1]}' if largest else 'that of the pictures'


def _scales(node: Any, name: str = '') -> Iterator[tuple[int, int]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _scales(value, key)
    elif isinstance(node, (list, tuple)):
        if name in ('scale', 'scales') and list(map(type, node)) == [int, int]:
            yield tuple(node)
            return
        for value in node:
            yield from _scales(value, name)
