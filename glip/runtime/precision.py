"""Half precision: which one a machine has, and computing in it."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager

import torch
from mmengine.logging import print_log

from glip.errors import ConfigError
from glip.ops import onednn_has_bf16

_DTYPES = {'bfloat16': torch.bfloat16, 'float16': torch.float16}
_SHORT = {'bf16': 'bfloat16', 'fp16': 'float16'}


def amp_dtype(name: str | torch.dtype | None = 'auto') -> str:
    """The half precision to compute in on this machine.

    A CPU may have no instructions for bfloat16; that it will be slow is logged.

    Args:
        name: ``'bf16'`` or ``'bfloat16'``, ``'fp16'`` or ``'float16'``, or ``'auto'``
            (or None): bfloat16 where the processor has it, else float16.

    Returns:
        ``'bfloat16'`` or ``'float16'``.

    Raises:
        ConfigError: The name is none of these, or the processor cannot do it.
    """
    name = str(name or 'auto').removeprefix('torch.')
    name = _SHORT.get(name, name)
    on_gpu = torch.cuda.is_available()
    has_bf16 = not on_gpu or torch.cuda.is_bf16_supported(including_emulation=False)
    if name == 'auto':
        name = 'bfloat16' if has_bf16 else 'float16'
    if name not in _DTYPES:
        raise ConfigError(
            f'mixed precision {name!r} is not known; take bf16, fp16 or auto'
        )
    if name == 'float16' and not on_gpu:
        raise ConfigError(
            'mixed precision fp16 needs a GPU; on the CPU take bf16, or leave it out'
        )
    if name == 'bfloat16' and not has_bf16:
        raise ConfigError('this GPU has no bfloat16; take fp16 for mixed precision')
    if not on_gpu and not onednn_has_bf16():
        print_log(
            'this CPU has no instructions for bfloat16, so half precision takes many '
            'times as long as float32: leave --amp out',
            'current',
            logging.WARNING,
        )
    return name


def half_precision(wanted: bool | str | None) -> torch.dtype | None:
    """The type to infer in; None for float32.

    Args:
        wanted: True for ``'auto'``, or what :func:`amp_dtype` takes.

    Raises:
        ConfigError: The name is unknown, or the processor cannot do it.
    """
    if wanted is None or wanted is False:
        return None
    return _DTYPES[amp_dtype('auto' if wanted is True else wanted)]


def autocasting(
    device: torch.device, dtype: torch.dtype | None
) -> AbstractContextManager[None]:
    """Autocast to ``dtype`` on a device; None leaves everything as it is."""
    return torch.autocast(device.type, dtype, enabled=dtype is not None)
