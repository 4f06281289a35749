"""Keeps of a training with a tuning mode what it trained, and nothing else."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor

from glip.checkpoints import find_file, zoo
from glip.checkpoints.fingerprint import fingerprint
from glip.checkpoints.layouts import PROMPT_KEY
from glip.checkpoints.tuned import TunedWeights, save_tuned, tuned_state
from glip.errors import ConfigError
from glip.models.detectors import is_tuned
from glip.registry import HOOKS
from glip.runtime.processes import unwrapped
from glip.text import EncodedPrompt

# What EMAHook puts before the names of the weights that it does not average.
_EMA = 'module.'
_WORDS = ('text', 'custom_entities', 'tokens_positive', 'caption_prompt')


@HOOKS.register_module()
class TuningHook(Hook):
    """Write ``<mode>.safetensors`` into the work directory, and small checkpoints.

    The file (:mod:`glip.checkpoints.tuned`) is of the best evaluation where the
    checkpoint hook keeps a best one, else of the last checkpoint. Checkpoints leave out
    what ``load_from`` holds as well; whoever reads them gets it from there.

    Args:
        tuning: The mode.
    """

    priority = 'LOWEST'  # behind the hooks that save, and those that average weights

    def __init__(self, tuning: str) -> None:
        self.tuning = tuning
        self._base: str | None = None
        self._base_fingerprint: str | None = None
        self._fingerprint: str | None = None
        self._state: dict[str, Tensor] | None = None  # of the latest checkpoint
        self._best: str | None = None
        self._words: Any = None
        self._prompt: EncodedPrompt | None = None
        self._has_warned = False

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note where the weights that are not tuned can be read again."""
        if runner._resume:
            tuned = (checkpoint.get('meta') or {}).get('tuned') or {}
            self._base = tuned['base'] if tuned.get('tuning') == self.tuning else None
        elif runner.cfg.get('load_strict', True):
            self._base = _source(runner._load_from)
        if self._base is not None:
            self._base_fingerprint = fingerprint(checkpoint['state_dict'], self.tuning)

    def before_train(self, runner: Runner) -> None:
        """Say what trains."""
        self._best = _best_path(runner)
        parameters = list(runner.model.parameters())
        trained = [p for p in parameters if p.requires_grad]
        print_log(
            f'tuning {self.tuning!r}: {sum(p.numel() for p in trained):,} of '
            f'{sum(p.numel() for p in parameters):,} parameters train',
            'current',
        )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """See which words are tuned.

        Raises:
            ConfigError: A prompt is tuned, and the words are not always the same.
            PromptError: A prompt is tuned, and the words do not fit into one.
        """
        for sample in data_batch['data_samples']:
            self._note_words(sample, unwrapped(runner.model))

    def _note_words(self, sample: Any, model: Any) -> None:
        is_first = self._words is None
        words = tuple(sample.get(field) for field in _WORDS)
        if words == self._words or (self._prompt is None and not is_first):
            return
        self._words = words
        cut = self.tuning != 'prompt'
        prompt = model.single_prompts([sample], truncate=cut)[0]
        if is_first:
            self._prompt = prompt
        elif prompt.input_ids != self._prompt.input_ids:
            if self.tuning == 'prompt':
                raise ConfigError(
                    "tuning='prompt' learns a vector for each token of one prompt, but "
                    'the words of the training pictures differ '
                    f'({self._prompt.prompt.caption[:40]!r}, '
                    f'{prompt.prompt.caption[:40]!r}): train on one list of classes, '
                    'or with another tuning'
                )
            self._prompt = None

    def before_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Say where a prompt is evaluated with other words than it is tuned for."""
        if self.tuning != 'prompt' or self._prompt is None or self._has_warned:
            return
        for sample in data_batch['data_samples']:
            if tuple(sample.get(field) for field in _WORDS) == self._words:
                continue
            prompts = unwrapped(runner.model).prompts_of(sample)
            if [prompt.input_ids for prompt in prompts] != [self._prompt.input_ids]:
                self._has_warned = True
                print_log(
                    'the evaluation asks for other words than the prompt is tuned for '
                    f'({prompts[0].prompt.caption[:40]!r}, '
                    f'{self._prompt.prompt.caption[:40]!r}), so it says little: give '
                    'both the same classes in the same order',
                    'current',
                    logging.WARNING,
                )
                return

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what was tuned, and leave out of the checkpoint what was not.

        Where no checkpoint is kept as the best, the file is that of the last.
        """
        state = checkpoint['state_dict']
        if self._fingerprint is None:
            self._fingerprint = fingerprint(state, self.tuning)
        self._state = {
            name: tensor.clone()
            for name, tensor in tuned_state(state, self.tuning).items()
        }
        # Where the base is not known, what is not tuned is nowhere else.
        if self._base is not None and self._fingerprint == self._base_fingerprint:
            checkpoint['state_dict'] = self._state
            checkpoint['meta']['tuned'] = dict(
                tuning=self.tuning, base=self._base, fingerprint=self._fingerprint
            )
            if 'ema_state_dict' in checkpoint:
                checkpoint['ema_state_dict'] = {
                    name: tensor
                    for name, tensor in checkpoint['ema_state_dict'].items()
                    if not name.startswith(_EMA)
                    or is_tuned(name.removeprefix(_EMA), self.tuning)
                }
        if not _keeps_best(runner):
            self._write(runner)

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Write that of the best evaluation."""
        best = _best_path(runner)
        if best != self._best:
            self._best = best
            self._write(runner)

    def _write(self, runner: Runner) -> None:
        """In the process that saves the checkpoint."""
        state, self._state = self._state, None
        if state is None or self._fingerprint is None:
            return
        ids: tuple[int, ...] = ()
        if self.tuning == 'prompt' and self._prompt is not None:
            ids = self._prompt.input_ids
            state = {PROMPT_KEY: state[PROMPT_KEY][: len(ids)]}
        path = Path(runner.work_dir, f'{self.tuning}.safetensors')
        weights = TunedWeights(
            tuning=self.tuning,
            state=state,
            model=Path(
                runner.cfg.filename or unwrapped(runner.model).__class__.__name__
            ).stem,
            fingerprint=self._fingerprint,
            text=self._prompt and self._prompt.prompt,
            input_ids=ids,
        )
        save_tuned(weights, path)
        print_log(
            f'tuned weights: {path} ({path.stat().st_size / 1024:.0f} kB)', 'current'
        )


def _source(load_from: Any) -> str | None:
    """How weights are found again from any folder."""
    if load_from is None or zoo.find(str(load_from)) is not None:
        return load_from
    return str(find_file(load_from).resolve())


def _checkpoint_hook(runner: Runner) -> CheckpointHook | None:
    return next((h for h in runner.hooks if isinstance(h, CheckpointHook)), None)


def _keeps_best(runner: Runner) -> bool:
    hook = _checkpoint_hook(runner)
    return bool(hook and hook.save_best and runner.val_loop is not None)


def _best_path(runner: Runner) -> str | None:
    """The best checkpoint, by the first measure where there are several."""
    hook = _checkpoint_hook(runner)
    several = getattr(hook, 'best_ckpt_path_dict', None) or {}
    return getattr(hook, 'best_ckpt_path', None) or next(iter(several.values()), None)
