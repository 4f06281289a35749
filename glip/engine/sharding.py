"""Parameters, gradients and optimizer state shared out over processes (FSDP).

``torch.distributed.fsdp.fully_shard`` changes a model in place, so the runner sees the
model itself. State dicts stay those of one process: any number of processes, with or
without shards, goes on from a checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from glip.errors import ConfigError

TYPE = 'FullyShardedDataParallel'
_OPTIONS = ('reshard_after_forward',)


def sharding_options(model_wrapper_cfg: Mapping[str, Any] | None) -> dict | None:
    """Arguments of :class:`ShardedModel`, None where the config names another wrapper.

    Raises:
        ConfigError: An argument is unknown.
    """
    options = dict(model_wrapper_cfg or {})
    if options.pop('type', None) != TYPE:
        return None
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise ConfigError(
            f'model_wrapper_cfg: {TYPE} takes no argument {unknown[0]!r}; it takes '
            f'{", ".join(_OPTIONS)}'
        )
    return options


class ShardedModel:
    """A model whose parameters are shared out, each block a unit of its own.

    Args:
        model: Changed in place; its weights are the same in every process.
        reshard_after_forward: Let a block go after its forward pass and gather it again
            in the backward pass. False shares out gradients and optimizer state only.
    """

    def __init__(self, model: nn.Module, *, reshard_after_forward: bool = True) -> None:
        self.model = model
        self._reshard = reshard_after_forward
        self._scalars = {n for n, p in model.named_parameters() if p.ndim == 0}
        for parameter in model.parameters():
            if parameter.ndim == 0:  # which FSDP refuses
                parameter.data = parameter.data.reshape(1)
        mesh = _mesh()
        options = dict(mesh=mesh, reshard_after_forward=reshard_after_forward)
        for module in list(model.modules()):
            if isinstance(module, _block_types()):
                fully_shard(module, **options)
        fully_shard(model, **options)
        self._names = {id(p): name for name, p in model.named_parameters()}
        self._whole: dict[str, Any] = {}

    def shard_optimizer(self, optim_wrapper: OptimWrapper) -> None:
        """Clip by the norm over all processes, and load whole states.

        Raises:
            ConfigError: ``clip_grad`` clips by value.
        """
        if optim_wrapper.clip_grad_kwargs:
            if optim_wrapper.grad_name != 'grad_norm':
                raise ConfigError(f'{TYPE}: clip_grad only clips by the norm')
            optim_wrapper.clip_func = _clip_by_global_norm
        optim_wrapper.optimizer.register_load_state_dict_pre_hook(_share_of_state)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take each process's share of whole weights; names may be missing."""
        with torch.no_grad():
            for name, tensor in self.model.state_dict().items():
                if name in state:
                    tensor.copy_(_share(state[name], tensor))

    def gather(self, optim_wrapper: OptimWrapper | None) -> None:
        """Put weights and optimizer state together for :meth:`fill`.

        Every process must call it. Only the main one keeps the result.
        """
        weights = {
            name: _gathered(tensor, scalar=name in self._scalars)
            for name, tensor in self.model.state_dict().items()
        }
        self._whole = {'state_dict': weights}
        if optim_wrapper is not None:
            self._whole['optimizer'] = self._gathered_state(optim_wrapper)
        if not is_main_process():
            self._whole = {}

    def fill(self, checkpoint: dict[str, Any]) -> None:
        """Replace the shares in a checkpoint by what was gathered."""
        checkpoint.update(self._whole)
        self._whole = {}

    def unshard(self) -> None:
        """Gather all weights in every process, for evaluation.

        The processes may then evaluate different numbers of prompts. Otherwise each
        would wait for the others in every block.
        """
        for module in self._shards():
            module.set_reshard_after_forward(False, recurse=False)
            module.unshard()

    def reshard(self) -> None:
        """Undo :meth:`unshard`."""
        for module in self._shards():
            module.set_reshard_after_forward(
                self._reshard and module is not self.model, recurse=False
            )
            module.reshard()

    def _shards(self) -> list[FSDPModule]:
        return [m for m in self.model.modules() if isinstance(m, FSDPModule)]

    def _gathered_state(self, optim_wrapper: OptimWrapper) -> dict[str, Any]:
        """State of the optimizer as one process would have it."""
        state = optim_wrapper.state_dict()
        parameters = [
            parameter
            for group in optim_wrapper.optimizer.param_groups
            for parameter in group['params']
        ]
        scalars = [self._names[id(p)] in self._scalars for p in parameters]
        gathered = {
            number: {
                key: _gathered(value, scalar=scalars[number])
                for key, value in of_parameter.items()
            }
            for number, of_parameter in state['state'].items()
        }
        return state | dict(state=gathered)


def _mesh() -> DeviceMesh:
    device = torch.device(get_device()).type
    return init_device_mesh(device, (torch.distributed.get_world_size(),))


def _gathered(value: Any, *, scalar: bool) -> Any:
    """A tensor of all shares, on the CPU; other values as they are."""
    if not isinstance(value, Tensor):
        return value
    if isinstance(value, DTensor):
        value = value.full_tensor()
    value = value.detach().cpu()
    return value.reshape(()) if scalar else value


def _share(value: Tensor, like: Tensor) -> Tensor:
    """This process's share of a tensor that all processes have read."""
    if not isinstance(like, DTensor):
        return value
    return distribute_tensor(
        value.reshape(like.shape).to(like.device),
        like.device_mesh,
        like.placements,
        src_data_rank=None,
    )


def _share_of_state(
    optimizer: torch.optim.Optimizer, state_dict: dict[str, Any]
) -> dict[str, Any]:
    """This process's share of a whole state, for ``load_state_dict``."""
    parameters = [p for group in optimizer.param_groups for p in group['params']]
    state = {
        number: {
            key: _share(value, parameters[number])
            if isinstance(value, Tensor) and key != 'step'
            else value
            for key, value in of_parameter.items()
        }
        for number, of_parameter in state_dict['state'].items()
    }
    return state_dict | dict(state=state)


def _clip_by_global_norm(parameters: list[Tensor], **options: Any) -> Tensor:
    norm = nn.utils.clip_grad_norm_(parameters, **options)
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


def _block_types() -> tuple[type[nn.Module], ...]:
    """What is gathered, computed and let go as one."""
    from glip.models.backbones.swin_blocks import SwinBlock
    from glip.models.language import BertLayer
    from glip.models.layers import DyConv, VLFuse

    return SwinBlock, BertLayer, VLFuse, DyConv
