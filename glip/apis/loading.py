"""From a name or a config to a detector that is ready to be called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from glip.apis.detector import Detector
from glip.checkpoints import load_into, load_tuned
from glip.checkpoints.empty import Undrawn
from glip.config.building import build_errors_explained
from glip.config.names import read_named
from glip.errors import ConfigError
from glip.export.sessions import is_onnx, load_onnx
from glip.models.cpu import use_cpu_kernels
from glip.registry import MODELS
from glip.runtime.allocator import keep_freed_memory
from glip.runtime.compiling import compile_for_inference, compile_options


def load(
    model: str | os.PathLike[str] | Config,
    weights: str | os.PathLike[str] | None = None,
    device: str | torch.device | None = None,
    *,
    amp: bool | str = False,
    compile: bool | Mapping[str, Any] = False,
    prompt: str | os.PathLike[str] | None = None,
) -> Detector:
    """Load a model for detection.

    Args:
        model: A name from the zoo such as ``'glip-nano'``, a config file, a config, or
            an ONNX file that ``glip export`` has written.
        weights: A checkpoint of any layout, as path, address or zoo name. May be
            left out with a zoo name, which has its own.
        device: Defaults to ``cuda`` if there is one, else ``cpu``.
        amp: Detect in half precision: True for bfloat16 where the processor has it,
            else float16; or ``'bf16'``, ``'fp16'``.
        compile: Compile the networks when the first picture comes, for all sizes: True,
            or arguments of ``torch.compile`` such as ``dict(mode='reduce-overhead')``.
            Meant for GPUs, see
            :func:`glip.runtime.compiling.compile_for_inference`.
        prompt: A file that training with a tuning mode has written, such as
            ``prompt.safetensors``. The detector looks for the words of a tuned prompt
            where none are given. Other prompts of the same model go with each call.

    Returns:
        A detector in evaluation mode on the device.

    Raises:
        ConfigError: No such name, config, device, precision or way to compile, or the
            config cannot be built.
        CheckpointError: Weights or prompt are missing, damaged, or of another model.
    """
    where = resolve_device(device)
    if is_onnx(model):
        refused = dict(weights=weights, prompt=prompt, amp=amp, compile=compile)
        given = [name for name, value in refused.items() if value]
        if given or where.type != 'cpu':
            what = given[0] if given else f'device {where}'
            raise ConfigError(f'{model}: an ONNX file runs as it is, without {what}')
        return Detector(*load_onnx(os.fspath(model)))
    compile_options(compile)  # said before the weights are read
    cfg, zoo_weights = read_named(model)
    source = weights if weights is not None else zoo_weights
    if source is None:
        raise ConfigError(
            f'{model if not isinstance(model, Config) else "a config"} has no weights '
            'of its own: say which checkpoint to load (weights=..., --weights ...)'
        )
    with Undrawn():
        network = build_model(cfg)
    use_cpu_kernels(network, frozen=True)
    load_into(network, os.fspath(source), assign=True)
    if prompt is not None:
        load_tuned(network, prompt)
    if where.type == 'cpu':
        keep_freed_memory()
    detector = Detector(network.to(where).eval(), cfg, amp=amp)
    compile_for_inference(network, compile)
    return detector


def build_model(cfg: Config) -> nn.Module:
    """Build ``cfg.model`` in our scope, whatever ``default_scope`` the config names.

    Raises:
        ConfigError: It has no model, or one that cannot be built.
    """
    if not cfg.get('model'):
        raise ConfigError(f'{cfg.filename or "the config"} has no model')
    with DefaultScope.overwrite_default_scope('glip'), build_errors_explained(cfg):
        return MODELS.build(cfg.model)


def resolve_device(device: str | torch.device | None) -> torch.device:
    """Check a device, or choose one.

    Raises:
        ConfigError: This machine or build of torch does not have it.
    """
    if device is None:
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f'device {device} cannot be used: {reason}') from error
    return torch.device(device)
