"""mmengine's Runner with safe, strict and interruption-proof checkpoints."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import EMAHook
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import convert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, Runner
from mmengine.visualization import Visualizer
from torch import nn
from torch.utils.data import DataLoader

from glip.checkpoints import add_tuned_weights, admit_prompt, fit, read_checkpoint
from glip.checkpoints.latest import latest_checkpoint
from glip.checkpoints.pretrained import skip_pretrained
from glip.config.building import build_errors_explained, explained, require_known
from glip.config.resolving import resolve
from glip.config.unformatted import unformatted_config
from glip.datasets.loader import build_dataloader
from glip.engine.kept_features import features_kept
from glip.engine.loops import EpochBasedTrainLoop, IterBasedTrainLoop
from glip.engine.sharding import ShardedModel, sharding_options
from glip.engine.test_loop import TestLoop
from glip.engine.val_loop import ValLoop
from glip.engine.warmup import cut_warmup
from glip.errors import CheckpointError, ConfigError
from glip.export import exported_model, is_onnx
from glip.models.cpu import use_cpu_kernels
from glip.registry import OPTIMIZERS, RUNNERS
from glip.runtime.atomic import atomic_write
from glip.runtime.compiling import compile_parts
from glip.runtime.console import quiet_console, warnings_to_file
from glip.runtime.processes import unwrapped

_TRAINING_STATE = ('meta', 'message_hub')
_KEEP_NAMES = [(r'^module.', '')]  # mmengine's default, done when a file is read


@RUNNERS.register_module()
class GLIPRunner(Runner):
    """Runner whose checkpoints go through :mod:`glip.checkpoints`.

    Differences from mmengine's:

    * ``load_from`` takes a file of any layout, a zoo name or a URL; nothing in the
      file is executed; keys that disagree are an error unless the config says
      ``load_strict = False``.
    * A checkpoint is written beside its place and moved there when complete, and
      ``resume`` without a file picks the last complete one of the work directory.
    * With a checkpoint to come, pretrained weights of the parts are not fetched.
    * Samples are drawn with seeds of their own (:mod:`glip.datasets.seeding`).
    * ``compile`` is for the networks alone (:mod:`glip.runtime.compiling`).
    * ``model_wrapper_cfg=dict(type='FullyShardedDataParallel')`` trains several
      processes with shares of the model (:mod:`glip.engine.sharding`).
    """

    _resuming = False
    _sharding: dict | None = None
    _sharded: ShardedModel | None = None

    @explained
    def build_param_scheduler(self, scheduler: Any) -> Any:
        """Build the schedulers; a warm-up is at most a tenth of the training."""
        return super().build_param_scheduler(cut_warmup(scheduler, self.max_iters))

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build it; unless the config says ``verbose``, its console is quiet."""
        self._forget_earlier_runs()
        logger = super().build_logger(*args, **kwargs)
        if not self.cfg.get('verbose', False):
            quiet_console(logger)
        return logger

    @classmethod
    def from_cfg(cls, cfg: Config | dict) -> Runner:
        """Build a runner of a config as users write it.

        Raises:
            ConfigError: See :func:`glip.config.resolve`.
            DatasetError: As well.
        """
        return super().from_cfg(resolve(Config(cfg) if isinstance(cfg, dict) else cfg))

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict,
        seed: int | None = None,
        diff_rank_seed: bool = False,
    ) -> DataLoader:
        """See :func:`glip.datasets.loader.build_dataloader`."""
        return build_dataloader(dataloader, seed, diff_rank_seed)

    @explained
    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build the model, with the kernels for the CPU in it, or an exported one."""
        if is_onnx(self._load_from):
            self._has_loaded = True
            return exported_model(self.cfg, model)
        return use_cpu_kernels(super().build_model(model))

    @explained
    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop, also where the config only says whether it is by epoch."""
        if isinstance(loop, dict) and 'type' not in loop:
            loop = dict(loop)
            by_epoch = loop.pop('by_epoch', True)
            loop['type'] = EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop
        return super().build_train_loop(loop)

    @explained
    def build_val_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop, ours where the config names none."""
        if isinstance(loop, dict):
            loop = dict(type=ValLoop) | loop
        return super().build_val_loop(loop)

    @explained
    def build_test_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop, ours where the config names none."""
        if isinstance(loop, dict):
            loop = dict(type=TestLoop) | loop
        return super().build_test_loop(loop)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model for DDP; shares of it are made by :meth:`train`."""
        if is_onnx(self._load_from):
            return model
        self._sharding = sharding_options(model_wrapper_cfg)
        if self._sharding is None:
            return super().wrap_model(model_wrapper_cfg, model)
        if not self.distributed:
            return super().wrap_model(None, model)
        model, sync_bn = model.to(get_device()), self.cfg.get('sync_bn')
        return convert_sync_batchnorm(model, sync_bn) if sync_bn else model

    def train(self) -> nn.Module:
        """Train; see :meth:`Runner.train`.

        Raises:
            ConfigError: A model that is shared out shall be averaged, or one that was
                exported be trained.
        """
        if is_onnx(self._load_from):
            raise ConfigError(
                f'{self._load_from}: an ONNX file detects and is evaluated; train the '
                'weights that it was exported from'
            )
        if self._sharding is not None and self.distributed:
            if any(isinstance(hook, EMAHook) for hook in self.hooks):
                raise ConfigError(
                    'FullyShardedDataParallel cannot average weights: leave EMAHook '
                    'out of custom_hooks, or train by DDP'
                )
            self._init_model_weights()
            self._sharded = ShardedModel(self.model, **self._sharding)
        kept = features_kept(self.cfg, self._detector)
        with self._library_warnings(), kept:
            return super().train()

    def val(self) -> dict[str, float]:
        """Validate; see :meth:`Runner.val`."""
        with self._library_warnings():
            return super().val()

    def test(self) -> dict[str, float]:
        """Evaluate; see :meth:`Runner.test`."""
        with self._library_warnings():
            return super().test()

    def _library_warnings(self) -> AbstractContextManager[None]:
        """Where warnings of libraries go: with ``verbose`` to the console as well."""
        if self.cfg.get('verbose', False):
            return nullcontext()
        return warnings_to_file(self.logger)

    @explained
    def build_optim_wrapper(self, optim_wrapper: Any) -> OptimWrapper:
        """Build it, for shares where the model is shared out."""
        if isinstance(optim_wrapper, dict):
            optimizer = optim_wrapper.get('optimizer') or {}
            require_known(OPTIMIZERS, optimizer.get('type'), self.cfg)
        built = super().build_optim_wrapper(optim_wrapper)
        if self._sharded is not None and built is not optim_wrapper:
            self._sharded.shard_optimizer(built)
        return built

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call all hooks, with whole weights in evaluations and checkpoints."""
        if self._sharded is not None:
            if fn_name in ('before_val', 'before_test'):
                self._sharded.unshard()
            elif fn_name in ('after_val', 'after_test'):
                self._sharded.reshard()
            elif fn_name == 'before_save_checkpoint':
                self._sharded.fill(kwargs['checkpoint'])
        if fn_name == 'before_run':  # where EMAHook builds its model
            with build_errors_explained(self.cfg):
                super().call_hook(fn_name, **kwargs)
        else:
            super().call_hook(fn_name, **kwargs)

    @explained
    def _init_model_weights(self) -> None:
        if self._sharded is not None:
            return  # done before it was shared out
        self._find_latest()
        if self._load_from is not None:
            skip_pretrained(self.model)
        super()._init_model_weights()

    def _forget_earlier_runs(self) -> None:
        """Let nothing of a run in this process be shared with those before it.

        mmengine keeps one of each name, with the folders of the run that came first:
        all visualizers have one name, and so have loggers and histories of runs that
        start within one second.
        """
        for kind in (MMLogger, MessageHub):
            kind._instance_dict.pop(self._experiment_name, None)
        kinds = [Visualizer]
        for kind in kinds:
            kind._instance_dict.clear()
            kinds += kind.__subclasses__()

    @property
    def _detector(self) -> nn.Module:
        """The model without what wraps it, DDP and TTA."""
        model = self.model
        while hasattr(model, 'module'):
            model = model.module
        return model

    def _maybe_compile(self, target: str) -> None:
        compile_parts(unwrapped(self.model), self.cfg.get('compile'))

    def load_or_resume(self) -> None:
        """Load or resume what the config asks for, once."""
        if self._has_loaded:
            return
        self._find_latest()
        if self._load_from is None:
            return
        if self._resume:
            self.resume(self._load_from)
        else:
            strict = self.cfg.get('load_strict', True)
            self.load_checkpoint(self._load_from, strict=strict)

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Go on with an interrupted training.

        Raises:
            CheckpointError: The file does not fit, or holds weights only.
        """
        self._resuming = True
        try:
            super().resume(filename, *args, **kwargs)
        finally:
            self._resuming = False

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = True,
        revise_keys: list[tuple[str, str]] = _KEEP_NAMES,
    ) -> dict:
        """Load weights into the model, which stays untouched when they do not fit.

        Args:
            filename: File of any layout, zoo name or http(s) URL.
            map_location: Ignored: files are read to the CPU, and optimizers move
                their state to the parameters themselves.
            strict: Refuse a file whose keys disagree with the model.
            revise_keys: (pattern, replacement) applied to the names in the file.

        Returns:
            The checkpoint, ``state_dict`` under the model's names.

        Raises:
            CheckpointError: The file cannot be had, read or used.
        """
        checkpoint = read_checkpoint(filename)
        if self._resuming:
            require_training_state(checkpoint, filename)
            # Files of old mmengine carry their config, which resuming would execute.
            checkpoint['meta'].pop('config', None)
        state = checkpoint['state_dict']
        if revise_keys != _KEEP_NAMES:
            for pattern, new in revise_keys:
                state = {re.sub(pattern, new, name): t for name, t in state.items()}
        admit_prompt(self.model, state)
        checkpoint['state_dict'] = fit(
            self.model, state, name=str(filename), strict=strict
        )
        tuned = getattr(self._test_loop, 'prompt', None)  # only built for a test
        if tuned is not None:
            checkpoint['state_dict'] = add_tuned_weights(
                self._detector, checkpoint['state_dict'], tuned
            )
        if 'tuned' in (checkpoint.get('meta') or {}) and 'ema_state_dict' in checkpoint:
            for name, tensor in checkpoint['state_dict'].items():
                checkpoint['ema_state_dict'].setdefault(f'module.{name}', tensor)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        if self._sharded is not None:
            self._sharded.load_state_dict(checkpoint['state_dict'])
        else:
            unwrapped(self.model).load_state_dict(
                checkpoint['state_dict'], strict=False
            )
        self._has_loaded = True
        self.logger.info(f'Load checkpoint from {filename}')
        return checkpoint

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
        """Save as mmengine does, but let the file appear only when it is complete."""
        if self._sharded is not None:
            self._sharded.gather(self.optim_wrapper if save_optimizer else None)
        if not is_main_process():
            return
        options = dict(
            file_client_args=file_client_args,
            save_optimizer=save_optimizer,
            save_param_scheduler=save_param_scheduler,
            meta=meta,
            by_epoch=by_epoch,
            backend_args=backend_args,
        )
        if file_client_args is not None or not isinstance(
            get_file_backend(str(out_dir), backend_args=backend_args), LocalBackend
        ):
            with unformatted_config(self):
                super().save_checkpoint(out_dir, filename, **options)
            return
        # One name for all attempts: a training killed while it writes leaves one file.
        part = Path(out_dir, f'.{filename}.part')
        with (
            atomic_write(Path(out_dir, filename), part=part),
            unformatted_config(self),
        ):
            super().save_checkpoint(out_dir, part.name, **options)

    def _find_latest(self) -> None:
        """Settle which file ``resume`` without a name means."""
        if self._has_loaded or not self._resume or self._load_from is not None:
            return
        latest = latest_checkpoint(self.work_dir)
        if latest is None:
            self.logger.warning(
                f'nothing to resume in {self.work_dir}; training starts from the '
                'beginning'
            )
            return
        self.logger.info(f'resuming from {latest}')
        self._load_from = str(latest)


def require_training_state(checkpoint: dict, filename: str) -> None:
    """Refuse a checkpoint from which no training can go on.

    Raises:
        CheckpointError: It lacks the counters or the history.
    """
    missing = [key for key in _TRAINING_STATE if key not in checkpoint]
    meta = checkpoint.get('meta')
    if not missing and not {'epoch', 'iter'} <= set(meta or ()):
        missing = ['meta.epoch', 'meta.iter']
    if missing:
        raise CheckpointError(
            f'{filename} holds weights but no training to resume (no '
            f'{", ".join(missing)}); start from it with load_from and without resume'
        )
