"""From a name or a config to a detector that is ready to be called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from glip.apis.config_files import read_config
from glip.apis.detector import Detector
from glip.checkpoints import load_into, load_tuned, zoo
from glip.checkpoints.empty import Undrawn
from glip.errors import ConfigError, GLIPError, reason_of
from glip.export.sessions import is_onnx, load_onnx
from glip.models.cpu import use_cpu_kernels
from glip.paths import config_root
from glip.registry import MODELS
from glip.runtime.allocator import keep_freed_memory
from glip.runtime.compiling import compile_for_inference, compile_options

_CHECKPOINT_SUFFIXES = ('.pth', '.pt', '.safetensors', '.bin')


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
    cfg, zoo_weights = _resolve(model)
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
        load_tuned(network, os.fspath(prompt))
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
    with DefaultScope.overwrite_default_scope('glip'):
        try:
            return MODELS.build(cfg.model)
        except GLIPError:
            raise
        # A constructor given wrong values may raise anything.
        except Exception as error:  # noqa: BLE001
            raise ConfigError(
                f'{cfg.filename or "the config"}: its model cannot be built '
                f'({reason_of(error)})'
            ) from error


def config_of(name: str | os.PathLike[str]) -> Path:
    """The config file that is meant: a file, or that of a name from the zoo.

    Raises:
        ConfigError: It is neither.
    """
    path = Path(name)
    known = zoo.find(os.fspath(name))
    if path.is_file() or (known is None and path.suffix):
        return path
    if known is None:
        near = zoo.suggest(os.fspath(name))
        hint = f'did you mean {near}?' if near else 'give a file, or a zoo name'
        raise ConfigError(f'{os.fspath(name)}: no such config; {hint}')
    return _zoo_config(known.config)


def training_config_of(name: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """The config that fine-tunes a model.

    Returns:
        The file, and the weights to start from where the file does not name them.

    Raises:
        ConfigError: It is neither a file nor a name from the zoo.
    """
    path = config_of(name)
    known = zoo.find(os.fspath(name))
    if known is None or Path(name).is_file():
        return path, None
    # The published fine-tuned models name the config that they were trained by.
    tuned = zoo.find(f'{known.name}-coco')
    return (path if tuned is None else _zoo_config(tuned.config)), known.name


def weights_of(name: str | os.PathLike[str]) -> str:
    """The weights that belong to a config: those of a name from the zoo.

    Raises:
        ConfigError: It is a file, which has none of its own.
    """
    known = zoo.find(os.fspath(name))
    if known is None or Path(name).is_file():
        raise ConfigError(
            f'{os.fspath(name)} has no weights of its own: name a checkpoint behind it'
        )
    return known.name


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


def _resolve(model: str | os.PathLike[str] | Config) -> tuple[Config, Any]:
    """Config, and the weights that belong to it if it is a name from the zoo."""
    if isinstance(model, Config):
        return model, None
    name = os.fspath(model)
    if name.endswith(_CHECKPOINT_SUFFIXES):
        raise ConfigError(
            f'{name} is a checkpoint; name its config as well (CONFIG --weights '
            f'{name}): a config inside a checkpoint is code and is never run'
        )
    if name.endswith('.py') or Path(name).is_file():
        return read_config(name), None
    entry = zoo.resolve(name)
    return read_config(_zoo_config(entry.config)), entry.name


def _zoo_config(name: str) -> Path:
    path = config_root() / 'glip' / name
    if not path.is_file():
        raise ConfigError(
            f'the config {name} is not in this installation; reinstall glip, or give '
            'a config file of your own'
        )
    return path
