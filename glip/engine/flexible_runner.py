"""mmengine's runner for strategies (FSDP and others) with our checkpoints."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import EMAHook
from mmengine.runner import BaseLoop, FlexibleRunner
from mmengine.visualization import Visualizer
from torch import nn

from glip.checkpoints import fit, read_checkpoint
from glip.checkpoints.latest import latest_checkpoint
from glip.engine.loops import EpochBasedTrainLoop, IterBasedTrainLoop
from glip.engine.runner import (
    GLIPRunner,
    forget_visualizers,
    require_training_state,
    skip_pretrained,
)
from glip.engine.strategies import FSDPStrategy
from glip.engine.test_loop import TestLoop
from glip.engine.val_loop import ValLoop
from glip.errors import ConfigError
from glip.models.cpu import use_cpu_kernels
from glip.registry import RUNNERS, STRATEGIES
from glip.runtime.compiling import compile_parts

_KEEP_NAMES = [(r'^module.', '')]


@RUNNERS.register_module()
class GLIPFlexibleRunner(FlexibleRunner):
    """``FlexibleRunner`` whose checkpoints are those of :class:`GLIPRunner`.

    ``strategy=dict(type='FSDPStrategy')`` shares the model out over the processes;
    without it several processes train by DDP and one by itself. Loading is strict and
    executes nothing, files appear when they are complete, ``resume`` takes the last
    whole one, and either runner goes on from a file of the other.

    Differences from mmengine's besides: ``compile`` of the config is heeded, and hooks
    are set up before a checkpoint is loaded, which averaged weights (EMA) need.
    """

    _prepared_hooks = False
    _parts_to_compile: bool | dict | None = None

    @classmethod
    def from_cfg(cls, cfg: Config) -> GLIPFlexibleRunner:
        """Build from a config."""
        runner = super().from_cfg(cfg)
        runner._parts_to_compile = cfg.get('compile')
        return runner

    def build_strategy(self, strategy: Any = None, **kwargs: Any) -> Any:
        """Build the strategy, ours before mmengine's of the same name."""
        if strategy is None:
            one = kwargs.get('launcher', 'none') == 'none'
            strategy = dict(type='SingleDeviceStrategy' if one else 'DDPStrategy')
        if isinstance(strategy, dict) and isinstance(strategy['type'], str):
            known = STRATEGIES.get(strategy['type'])
            if known is None:
                raise ConfigError(f'strategy type {strategy["type"]!r} is not known')
            strategy = dict(strategy, type=known)
        if kwargs.get('env_cfg') is None:
            kwargs['env_cfg'] = {}
        return super().build_strategy(strategy, **kwargs)

    build_dataloader = staticmethod(GLIPRunner.build_dataloader)

    def build_visualizer(self, visualizer: Any = None) -> Visualizer:
        """Build one of this run; see :func:`forget_visualizers`."""
        forget_visualizers()
        return super().build_visualizer(visualizer)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop, ours where the config names none."""
        if isinstance(loop, dict) and 'type' not in loop:
            loop = dict(loop)
            by_epoch = loop.pop('by_epoch', True)
            loop['type'] = EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop
        return super().build_train_loop(loop)

    def build_val_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop, ours where the config names none."""
        if isinstance(loop, dict):
            loop = dict(type=ValLoop) | loop
        return super().build_val_loop(loop)

    def build_test_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop, ours where the config names none."""
        if isinstance(loop, dict):
            loop = dict(type=TestLoop) | loop
        return super().build_test_loop(loop)

    def train(self) -> nn.Module:
        """Train; see :meth:`FlexibleRunner.train`."""
        averaging = [hook for hook in self.hooks if isinstance(hook, EMAHook)]
        if averaging and isinstance(self.strategy, FSDPStrategy):
            raise ConfigError(
                'FSDPStrategy cannot average weights: leave EMAHook out of '
                'custom_hooks, or train by DDP'
            )
        self._build_model()
        compile_parts(self.model, self._parts_to_compile)
        return super().train()

    def val(self) -> dict:
        """Evaluate on the validation data."""
        self._build_model()
        return super().val()

    def test(self) -> dict:
        """Evaluate on the test data."""
        self._build_model()
        return super().test()

    def _build_model(self) -> None:
        self._find_latest()
        if not isinstance(self.model, nn.Module):
            self.model = self.strategy.build_model(self.model)
            use_cpu_kernels(self.model)
        if self._load_from is not None:
            skip_pretrained(self.model)

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call all hooks; ``before_run`` once, before loading.

        Around an evaluation weights that are shared out are put together.
        """
        if fn_name == 'before_run':
            if self._prepared_hooks:
                return
            self._prepared_hooks = True
        sharded = isinstance(self.strategy, FSDPStrategy)
        if sharded and fn_name in ('before_val', 'before_test'):
            self._whole = ExitStack()
            self.model = self._whole.enter_context(self.strategy.whole_model())
        super().call_hook(fn_name, **kwargs)
        if sharded and fn_name in ('after_val', 'after_test'):
            self._whole.close()
            self.model = self.strategy.model

    def load_or_resume(self) -> None:
        """Load or resume what the config asks for, once."""
        self.call_hook('before_run')
        if self._has_loaded or self._load_from is None:
            return
        if self._resume:
            self.resume(self._load_from)
        else:
            self.load_checkpoint(
                self._load_from, strict=self.cfg.get('load_strict', True)
            )
        self._has_loaded = True

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = True,
        revise_keys: list[tuple[str, str]] = _KEEP_NAMES,
    ) -> dict:
        """Load weights; see :meth:`GLIPRunner.load_checkpoint`."""
        checkpoint = read_checkpoint(filename)
        state = checkpoint['state_dict']
        if revise_keys != _KEEP_NAMES:
            for pattern, new in revise_keys:
                state = {re.sub(pattern, new, name): t for name, t in state.items()}
        self._load_state(checkpoint | dict(state_dict=state), filename, strict)
        return checkpoint

    def _load_state(self, checkpoint: dict, filename: str, strict: bool) -> None:
        if isinstance(self.strategy, FSDPStrategy):
            whole = SimpleNamespace(state_dict=lambda: self.strategy.template)
        else:
            whole = self.model
        checkpoint['state_dict'] = fit(
            whole, checkpoint['state_dict'], name=str(filename), strict=strict
        )
        super().call_hook('after_load_checkpoint', checkpoint=checkpoint)
        self.strategy.load_model_state_dict(checkpoint['state_dict'], strict=False)
        self.logger.info(f'Load checkpoint from {filename}')

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: str | Callable = 'default',
    ) -> None:
        """Go on with an interrupted training, of whichever runner.

        Raises:
            CheckpointError: The file does not fit, or holds weights only.
        """
        checkpoint = read_checkpoint(filename)
        require_training_state(checkpoint, filename)
        self._load_state(checkpoint, filename, True)
        meta = checkpoint['meta']
        seed = meta.get('seed')
        if seed is not None and seed != self.strategy.randomness.get('seed'):
            self.strategy.randomness.update(seed=seed)
            self.strategy._set_randomness(**self.strategy.randomness)
        if resume_optimizer and 'optimizer' in checkpoint:
            self.strategy.load_optim_state_dict(checkpoint['optimizer'])
        if resume_param_scheduler and self.param_schedulers is not None:
            self.strategy.load_scheduler_state_dict(checkpoint['param_schedulers'])
        self.train_loop._epoch, self.train_loop._iter = meta['epoch'], meta['iter']
        if getattr(self.optim_wrapper, '_accumulative_counts', 1) > 1:
            self.optim_wrapper.initialize_count_status(
                self.model, meta['iter'], self.max_iters
            )
        self.message_hub.load_state_dict(checkpoint['message_hub'])
        self.logger.info(f'resumed epoch: {self.epoch}, iter: {self.iter}')

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict | None = None,
        by_epoch: bool = True,
        backend_args: dict | None = None,
    ) -> None:
        """Save as mmengine does, but let the file appear only when it is complete.

        Raises:
            ConfigError: The work directory is not on a file system.
        """
        backend = get_file_backend(str(out_dir), backend_args=backend_args)
        if not isinstance(backend, LocalBackend):
            raise ConfigError(
                f'{type(self).__name__} saves to local folders only, not to {out_dir}'
            )
        counts = dict(
            epoch=self.epoch + (1 if by_epoch else 0),
            iter=self.iter + (0 if by_epoch else 1),
        )
        # mmengine's own overrides the counts that its hook gives for a best epoch.
        meta = counts | (meta or {})
        meta |= dict(cfg=self.cfg.pretty_text, experiment_name=self.experiment_name)
        dataset = self.train_dataloader.dataset
        if hasattr(dataset, 'metainfo'):
            meta['dataset_meta'] = dataset.metainfo
        temporary = f'.{filename}.part'
        self.strategy.save_checkpoint(
            filename=os.path.join(out_dir, temporary),
            save_optimizer=save_optimizer,
            save_param_scheduler=save_param_scheduler,
            extra_ckpt=dict(meta=meta, message_hub=self.message_hub.state_dict()),
            callback=lambda checkpoint: super(GLIPFlexibleRunner, self).call_hook(
                'before_save_checkpoint', checkpoint=checkpoint
            ),
        )
        if is_main_process():
            with open(os.path.join(out_dir, temporary), 'rb') as file:
                os.fsync(file.fileno())
            os.replace(
                os.path.join(out_dir, temporary), os.path.join(out_dir, filename)
            )

    def _find_latest(self) -> None:
        """Settle which file ``resume`` without a name means."""
        if isinstance(self._resume, str):
            self._load_from, self._resume = self._resume, True
        if not self._resume or self._load_from is not None:
            return
        latest = latest_checkpoint(self.work_dir)
        if latest is None:
            self.logger.warning(
                f'nothing to resume in {self.work_dir}; training starts from the '
                'beginning'
            )
        else:
            self.logger.info(f'resuming from {latest}')
            self._load_from = str(latest)
