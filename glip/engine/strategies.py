"""How a model is spread over processes: mmengine's strategies, mended for our models.

Both also run on the CPU, by gloo. The checkpoints of both are those of one process:
any runner reads and resumes them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from mmengine._strategy import DDPStrategy as _DDPStrategy
from mmengine._strategy import FSDPStrategy as _FSDPStrategy
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.optim import OptimWrapper
from mmengine.runner import weights_to_cpu
from torch import Tensor, nn
from torch.distributed.fsdp import (
    FullOptimStateDictConfig,
    FullStateDictConfig,
    FullyShardedDataParallel,
    StateDictType,
)
from torch.distributed.fsdp.wrap import ModuleWrapPolicy

from glip.errors import ConfigError
from glip.registry import STRATEGIES

_WRAPPED = '_fsdp_wrapped_module.'
_OPTIMIZER_STATE = ('state', 'param_groups')


@STRATEGIES.register_module()
class DDPStrategy(_DDPStrategy):
    """mmengine's strategy, which also runs without GPUs."""

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        if not torch.cuda.is_available():
            self.model_wrapper = dict(
                dict(
                    type='MMDistributedDataParallel',
                    broadcast_buffers=False,
                    device_ids=None,
                )
                | (self.model_wrapper or {})
            )
        return super()._wrap_model(model)

    def model_state_dict(self) -> dict[str, Tensor]:
        """Weights under the model's own names, without the wrapper's prefix."""
        return weights_to_cpu(self.model.module.state_dict())


@STRATEGIES.register_module()
class FSDPStrategy(_FSDPStrategy):
    """Parameters, gradients and optimizer state shared out over processes.

    Each block of the backbone, the language model and the head is a unit. Differs from
    mmengine's in what that one gets wrong with a current torch: gradients are clipped
    by the norm of all of them, not of each process's share; the optimizer's state is
    saved and resumed; a checkpoint is one ordinary file.

    Args:
        model_wrapper: Arguments of ``MMFullyShardedDataParallel``, for instance
            ``sharding_strategy`` or ``auto_wrap_policy``.
        kwargs: mmengine's.

    Raises:
        ConfigError: ``state_dict_cfg`` asks for one file per process.
    """

    def __init__(self, *, model_wrapper: dict | None = None, **kwargs: Any) -> None:
        if kwargs.setdefault('state_dict_cfg', 'full') != 'full':
            raise ConfigError(
                "FSDPStrategy: state_dict_cfg must be 'full', one file of all weights"
            )
        super().__init__(model_wrapper=model_wrapper, **kwargs)
        on_gpu = torch.cuda.is_available()
        # On the CPU torch would hand out one buffer for all states of a parameter.
        self.state_dict_config = FullStateDictConfig(
            rank0_only=True, offload_to_cpu=on_gpu
        )
        self.optim_state_dict_config = FullOptimStateDictConfig(
            rank0_only=True, offload_to_cpu=on_gpu
        )
        self._shapes: dict[str, torch.Size] = {}
        self._whole: nn.Module | None = None

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        self._shapes = {name: t.shape for name, t in model.state_dict().items()}
        self._whole = copy.deepcopy(model).cpu()
        for parameter in model.parameters():
            if parameter.ndim == 0:  # which FSDP refuses
                parameter.data = parameter.data.reshape(1)
        on_gpu = torch.cuda.is_available()
        self.model_wrapper = dict(
            dict(
                type='MMFullyShardedDataParallel',
                auto_wrap_policy=ModuleWrapPolicy(_blocks()),
                use_orig_params=True,
                device_id=torch.cuda.current_device()
                if on_gpu
                else torch.device('cpu'),
            )
            | (self.model_wrapper or {})
        )
        return super()._wrap_model(model)

    def build_optim_wrapper(self, optim_wrapper: Any, model: nn.Module) -> OptimWrapper:
        """Build it, with gradients clipped by the norm over all processes."""
        built = super().build_optim_wrapper(optim_wrapper, model)
        if built.clip_grad_kwargs:
            if getattr(built, 'grad_name', None) != 'grad_norm':
                raise ConfigError('FSDPStrategy: clip_grad only clips by the norm')
            built.clip_func = partial(_clip, model)
        return built

    def model_state_dict(self) -> dict[str, Tensor]:
        """Whole weights under the model's own names; empty but in the first process."""
        state = self.model.state_dict()
        return {name: t.reshape(self._shapes[name]) for name, t in state.items()}

    @property
    def template(self) -> dict[str, Tensor]:
        """Names, shapes and types of the whole weights, without values of their own."""
        return self._whole.state_dict()

    @contextmanager
    def whole_model(self) -> Iterator[nn.Module]:
        """All weights in one module in every process, for evaluation.

        The processes may then evaluate different numbers of prompts. With shared-out
        weights each would wait for the others in every block.
        """
        config = FullStateDictConfig(rank0_only=False, offload_to_cpu=True)
        with FullyShardedDataParallel.state_dict_type(
            self.model, StateDictType.FULL_STATE_DICT, config
        ):
            state = self.model.state_dict()
        state = {name: t.reshape(self._shapes[name]) for name, t in state.items()}
        self._whole.load_state_dict(state, strict=False)
        try:
            yield self._whole.to(get_device())
        finally:
            self._whole.cpu()

    def load_model_state_dict(
        self, state_dict: dict[str, Tensor], *, strict: bool = False, **kwargs: Any
    ) -> None:
        """Take each process's share of whole weights."""
        state = {n: t.reshape(1) if t.ndim == 0 else t for n, t in state_dict.items()}
        self.model.load_state_dict(state, strict=strict)

    def optim_state_dict(self) -> dict[str, Any]:
        """Whole state as an optimizer in one process would have it."""
        state = FullyShardedDataParallel.optim_state_dict(
            self.model, self.optim_wrapper.optimizer
        )
        rest = self.optim_wrapper.state_dict()
        extra = {k: v for k, v in rest.items() if k not in _OPTIMIZER_STATE}
        if not is_main_process():
            return {}
        numbers = {name: i for i, name in enumerate(self._names())}
        saved = dict(state={}, param_groups=[], **extra)
        for name, own in state['state'].items():
            scalar = self._shapes[name] == torch.Size([])
            saved['state'][numbers[name]] = {
                key: value.reshape(()) if scalar else value
                for key, value in own.items()
            }
        for group in state['param_groups']:
            params = [numbers[name] for name in group['params']]
            saved['param_groups'].append(group | dict(params=params))
        return saved

    def load_optim_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take each process's share of a whole state."""
        names = list(self._names())
        extra = {k: v for k, v in state_dict.items() if k not in _OPTIMIZER_STATE}
        whole = dict(state={}, param_groups=[])
        for i, own in state_dict['state'].items():
            scalar = self._shapes[names[i]] == torch.Size([])
            whole['state'][names[i]] = {
                key: value.reshape(1) if scalar and key != 'step' else value
                for key, value in own.items()
            }
        for group in state_dict['param_groups']:
            params = [names[i] for i in group['params']]
            whole['param_groups'].append(group | dict(params=params))
        share = FullyShardedDataParallel.optim_state_dict_to_load(
            self.model, self.optim_wrapper.optimizer, whole
        )
        self.optim_wrapper.load_state_dict(share | extra)

    def _names(self) -> Iterator[str]:
        """Names of the optimizer's parameters, in its order."""
        names = {
            id(parameter): name.replace(_WRAPPED, '')
            for name, parameter in self.model.named_parameters()
        }
        for group in self.optim_wrapper.optimizer.param_groups:
            for parameter in group['params']:
                yield names[id(parameter)]


def _blocks() -> set[type[nn.Module]]:
    """What is gathered, computed and let go as one."""
    # Here, as importing them takes seconds that other runners need not wait.
    from transformers.models.bert.modeling_bert import BertLayer as HFBertLayer

    from glip.models.backbones.swin import SwinBlock
    from glip.models.language import BertLayer
    from glip.models.layers import DyConv, VLFuse

    return {SwinBlock, HFBertLayer, BertLayer, VLFuse, DyConv}


def _clip(
    model: FullyShardedDataParallel,
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    **kwargs: Any,
) -> Tensor:
    """``clip_grad_norm_`` over all processes."""
    return model.clip_grad_norm_(max_norm, norm_type)
