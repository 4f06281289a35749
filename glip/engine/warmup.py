"""Warm-ups that suit short trainings."""

from __future__ import annotations

import copy
from typing import Any

from mmengine.logging import print_log

# Of all steps. A published warm-up of 2000 steps is far less of its training.
_LARGEST_SHARE = 0.1
_WARMUPS = ('LinearLR', 'ConstantLR')


def cut_warmup(scheduler: Any, max_iters: int) -> Any:
    """Shorten a warm-up that a small data set would never leave.

    Args:
        scheduler: Config of one scheduler, a list of them, or a mapping of lists, as
            mmengine takes it.
        max_iters: Steps of the whole training.

    Returns:
        The same with warm-ups that count steps cut to a tenth of the training.
    """
    if isinstance(scheduler, (list, tuple)):
        return [cut_warmup(one, max_iters) for one in scheduler]
    if not isinstance(scheduler, dict):
        return scheduler
    if 'type' not in scheduler:
        return {key: cut_warmup(value, max_iters) for key, value in scheduler.items()}
    end = scheduler.get('end')
    longest = max(2, round(_LARGEST_SHARE * max_iters))
    is_warmup = (
        str(scheduler['type']).rpartition('.')[2] in _WARMUPS
        and not scheduler.get('by_epoch', True)
        and scheduler.get('begin', 0) == 0
    )
    if not is_warmup or not isinstance(end, int) or end <= longest:
        return scheduler
    print_log(
        f'warm-up of {end} steps cut to {longest}, a tenth of the training',
        logger='current',
    )
    scheduler = copy.deepcopy(scheduler)
    scheduler['end'] = longest
    return scheduler
