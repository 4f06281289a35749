"""One training of a few-shot run: what it sees, for how long, and its config."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from glip.config.custom_sets import CustomSet
from glip.config.unformatted import unformatted
from glip.errors import ConfigError
from glip.teach.few_shot.sets import FewShotSet

Shots = int | str
ALL = 'all'
BATCH_SIZE = 4  # the original's, all processes together
MONITOR = 'coco/bbox_mAP'
# Of the original's few-shot commands; other rates are those of the config.
_FULL_RATES = {'weight_decay': 0.05}
# For configs that only evaluate.
_OPTIM_WRAPPER = {
    'type': 'OptimWrapper',
    'constructor': 'GLIPOptimWrapperConstructor',
    'optimizer': {'type': 'AdamW', 'lr': 1e-4},
    'paramwise_cfg': {
        'custom_keys': {'language_model': {'lr_mult': 0.1}},
        'bias_lr_mult': 2.0,
        'bias_decay_mult': 0.0,
        'norm_decay_mult': 0.0,
    },
    'clip_grad': {'max_norm': 1.0},
}


@dataclass(frozen=True)
class Plan:
    """How long a training goes on (microsoft/GLIP, ``--custom_shot_and_epoch_...``).

    Attributes:
        copies: How often an epoch shows each picture.
        patience: Epochs without gain before the learning rate falls to a tenth.
        stop_after: Epochs without gain before the training ends.
        max_epochs: Epochs at most.
    """

    copies: int
    patience: int = 3
    stop_after: int = 8
    max_epochs: int = 200


_PLANS: dict[Shots, Plan] = {
    1: Plan(copies=8),
    3: Plan(copies=4),
    5: Plan(copies=2),
    10: Plan(copies=1),
    ALL: Plan(copies=1, patience=2, stop_after=4),
}


def plan_for(shots: Shots) -> Plan:
    """The original's plan; other numbers have that of the next smaller one."""
    if shots == ALL:
        return _PLANS[ALL]
    known = [n for n in _PLANS if isinstance(n, int) and n <= int(shots)]
    return _PLANS[max(known)]


def parse_shots(words: list[str]) -> list[Shots]:
    """Numbers and ``all``, each once, in their order.

    Raises:
        ConfigError: A word is neither.
    """
    shots: list[Shots] = []
    for word in words:
        if word == ALL:
            shots.append(ALL)
        elif word.isascii() and word.isdigit():
            shots.append(int(word))
        else:
            raise ConfigError(
                f"--shots takes numbers of pictures per class and 'all', not {word!r}"
            )
    return sorted(dict.fromkeys(shots), key=shots_order)


def shots_order(shots: Shots) -> float:
    """Key to sort by."""
    return float('inf') if shots == ALL else float(shots)


@dataclass(frozen=True)
class Task:
    """One result to come.

    Attributes:
        data: The set.
        shots: Pictures of each class, 0 for none, or ``'all'``.
        tuning: What is trained; None for 0 shots.
        seed: Of draw and training; None for 0 shots.
    """

    data: FewShotSet
    shots: Shots
    tuning: str | None = None
    seed: int | None = None

    @property
    def folder(self) -> str:
        """Folder of the task, relative to the work directory."""
        if self.shots == 0:
            return os.path.join(self.data.name, 'zero_shot')
        assert self.tuning is not None
        return os.path.join(
            self.data.name, self.tuning, f'{self.shots}_shot_seed{self.seed}'
        )

    @property
    def label(self) -> str:
        """What it is called in the log."""
        if self.shots == 0:
            return f'{self.data.name}, zero-shot'
        amount = 'all pictures' if self.shots == ALL else f'{self.shots}-shot'
        return f'{self.data.name}, {amount}, {self.tuning}, seed {self.seed}'


def list_tasks(
    sets: list[FewShotSet],
    shots: list[Shots],
    tunings: list[str],
    seeds: list[int],
) -> list[Task]:
    """All tasks, few pictures first, so that a table is soon of use.

    Nothing is drawn for 0 and for all pictures: these are done once, the latter with
    the first seed.
    """
    tasks = []
    for number in sorted(shots, key=shots_order):
        for data in sets:
            if number == 0:
                tasks.append(Task(data, 0))
                continue
            tasks += [
                Task(data, number, tuning, seed)
                for seed in (seeds[:1] if number == ALL else seeds)
                for tuning in tunings
            ]
    return tasks


def training_config(
    base: Config,
    task: Task,
    train: CustomSet,
    val: CustomSet,
    *,
    max_epochs: int | None = None,
) -> Config:
    """The config of one training.

    Data, schedule, seed and tuning are replaced; model, pipelines, optimiser and
    evaluator stay. Averaging of weights is left out, as in the original: it would lag
    behind trainings of a few steps. ``few_shot`` of the config may have rates of its
    own for a mode of tuning: ``few_shot = dict(prompt=dict(lr=0.01))``.

    Args:
        base: Not changed.
        task: What is trained.
        train: The drawn pictures.
        val: What the best epoch is chosen by.
        max_epochs: Epochs at most, instead of the plan's.
    """
    cfg = _with_data(base, {'val': _entry(val), 'test': _entry(task.data.tested)})
    plan = plan_for(task.shots)
    cfg.custom_data['train'] = {**_entry(train), 'repeat': plan.copies}
    _set_tuning(cfg, task.tuning)
    cfg.randomness = {**(cfg.get('randomness') or {}), 'seed': task.seed}
    cfg.train_cfg = {
        'type': 'EpochBasedTrainLoop',
        'max_epochs': max_epochs or plan.max_epochs,
        'val_interval': 1,
    }
    watch = {'monitor': MONITOR, 'rule': 'greater'}
    cfg.param_scheduler = [
        {'type': 'ReduceOnPlateauLR', 'patience': plan.patience, **watch}
    ]
    stop = {'patience': plan.stop_after, 'min_delta': 0.0, **watch}
    hooks = [h for h in cfg.get('custom_hooks') or () if h['type'] != 'EMAHook']
    cfg.custom_hooks = [*hooks, {'type': 'EarlyStoppingHook', **stop}]
    checkpoint = {'type': 'CheckpointHook', 'interval': 1}
    checkpoint |= (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    checkpoint |= {'max_keep_ckpts': 1, 'save_best': MONITOR, 'rule': 'greater'}
    # Drawn once at the end, not after each of very short epochs.
    cfg.merge_from_dict({'default_hooks': {'curves': None, 'checkpoint': checkpoint}})
    return cfg


def test_config(base: Config, task: Task) -> Config:
    """The config that measures what is known without training.

    Args:
        base: Not changed.
        task: Its data is tested on.
    """
    return _with_data(base, {'test': _entry(task.data.tested)})


def _set_tuning(cfg: Config, tuning: str | None) -> None:
    """What is trained, with rates of the config or else of the original."""
    if not cfg.get('optim_wrapper'):
        cfg.optim_wrapper = copy.deepcopy(_OPTIM_WRAPPER)
    rates = dict((cfg.pop('few_shot', None) or {}).get(tuning) or {})
    cfg.tuning = {'mode': tuning}
    if tuning == 'full':
        cfg.optim_wrapper.optimizer.update(_FULL_RATES | rates)
        cfg.pop('cache_features', None)  # nothing is frozen
    else:
        cfg.tuning.update(rates)


def _with_data(base: Config, stages: dict[str, dict[str, Any]]) -> Config:
    """A copy with other data; what the config says about loading stays."""
    cfg = unformatted(base)
    given = cfg.get('custom_data') or {}
    kept = {key: given[key] for key in ('batch_size', 'num_workers') if key in given}
    cfg.custom_data = {'batch_size': BATCH_SIZE, **kept, **stages}
    cfg.resume = False
    cfg.pop('epochs', None)  # would scale the schedule set here
    for stage, loop in (('val_cfg', 'ValLoop'), ('test_cfg', 'TestLoop')):
        cfg[stage] = cfg.get(stage) or {'type': loop}
    return cfg


def _entry(data: CustomSet) -> dict[str, Any]:
    """A set as ``custom_data`` takes it."""
    fields = ('data_root', 'ann_file', 'img', 'name')
    options = ('classes', 'category_names', 'caption_prompt')
    entry = {field: getattr(data, field) for field in fields}
    return entry | {f: v for f in options if (v := getattr(data, f)) is not None}
