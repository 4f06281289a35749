"""Another number of epochs, the schedule with it: ``epochs`` in a config."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from glip.errors import ConfigError


def apply_epochs(cfg: Config) -> None:
    """Train for ``cfg.epochs`` epochs, on a schedule of the same shape.

    Steps and ends of schedulers that count epochs are scaled; a warm-up that counts
    steps stays.

    Args:
        cfg: Changed in place; ``epochs`` is used up.

    Raises:
        ConfigError: It is no positive whole number, or the training counts no epochs.
    """
    epochs = cfg.pop('epochs', None)
    if epochs is None:
        return
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise ConfigError(f'epochs is a whole number from 1, not {epochs!r}')
    usual = (cfg.get('train_cfg') or {}).get('max_epochs')
    if not usual:
        raise ConfigError(
            f'epochs={epochs}: the training of {cfg.filename or "the config"} does not '
            'count epochs; set train_cfg.max_iters'
        )
    cfg.train_cfg.max_epochs = epochs
    schedulers = cfg.get('param_scheduler') or []
    for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
        if scheduler.get('by_epoch', True):
            _scale(scheduler, epochs, usual)


def _scale(scheduler: dict[str, Any], epochs: int, usual: int) -> None:
    """Bring what counts epochs to another number of them."""
    for key in ('begin', 'end', 'T_max', 'step_size'):
        if isinstance(scheduler.get(key), int) and 0 < scheduler[key] <= usual:
            scheduler[key] = max(1, round(scheduler[key] * epochs / usual))
    if 'milestones' in scheduler:
        scaled = (
            max(1, round(step * epochs / usual)) for step in scheduler['milestones']
        )
        # Of several that fall together one stays: a rate falls once per epoch.
        scheduler['milestones'] = sorted(set(scaled))
