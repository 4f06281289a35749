"""``torch.compile`` of the networks inside a model, and what to say when it fails."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import print_log
from torch import nn

from glip.errors import ConfigError, TrainingError

# What only depends on tensors. Words and boxes, whose values and numbers would have
# each batch compiled anew, stand around them; BERT is left out, as transformers
# attaches new hooks to it in every call. Equal blocks of the tower are compiled once.
_PARTS = re.compile(r'(backbone|neck|bbox_head\.head\.dyhead_tower\.\d+)')
_COMPILERS = ('torch._dynamo', 'torch._inductor', 'torch._functorch', 'triton')


def compile_parts(model: nn.Module, options: bool | Mapping[str, Any] | None) -> None:
    """Compile the networks of a model in place; names of its weights stay.

    mmengine compiles ``train_step`` as one, which follows the tokenizer, the matching
    of boxes and the optimizer too, for minutes, and again for each new prompt.

    Args:
        model: A :class:`~glip.models.GLIP`; another model is compiled as a whole.
        options: ``compile`` of a config: whether to, or arguments of
            ``torch.compile``. mmengine's ``target`` is ignored.

    Raises:
        ConfigError: ``torch.compile`` has no such argument.
    """
    options = compile_options(options)
    if options is None:
        return
    parts = {n: m for n, m in model.named_modules() if _PARTS.fullmatch(n)}
    for part in parts.values() or [model]:
        part.compile(**options)
        _only_in_training(part)
    print_log(
        f'compiling {len(parts) or 1} parts: the first steps take long', 'current'
    )


def _only_in_training(part: nn.Module) -> None:
    """Evaluate as before: other modes and sizes would each be compiled too."""
    compiled = part._compiled_call_impl

    def call(*args: Any, **kwargs: Any) -> Any:
        return (compiled if part.training else part._call_impl)(*args, **kwargs)

    part._compiled_call_impl = call


def compile_options(value: bool | Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Arguments of ``torch.compile``, None when nothing is to be compiled.

    Raises:
        ConfigError: It is neither a truth value nor a dict of such arguments.
    """
    if value is None or value is False:
        return None
    if value is not True and not isinstance(value, Mapping):
        raise ConfigError(
            f'compile={value!r} must be True, False or a dict of arguments of '
            'torch.compile'
        )
    options = {} if value is True else dict(value)
    options.pop('target', None)
    known = set(inspect.signature(torch.compile).parameters) - {'model'}
    if unknown := sorted(set(options) - known):
        raise ConfigError(
            f'compile: torch.compile has no argument {", ".join(unknown)}; it has '
            f'{", ".join(sorted(known))}'
        )
    return None if options.get('disable') else options


@contextmanager
def compile_errors_explained(wanted: bool | Mapping[str, Any] | None) -> Iterator[None]:
    """Turn a failure of the compiler into one line.

    Args:
        wanted: ``compile`` of the config.

    Raises:
        TrainingError: The model could not be compiled.
    """
    try:
        yield
    except RuntimeError as error:
        if not wanted or not type(error).__module__.startswith(_COMPILERS):
            raise
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise TrainingError(
            f'torch.compile failed ({(lines or [type(error).__name__])[0]}): '
            'on the CPU it needs a C++ compiler such as g++, on a GPU Triton; train '
            "with compile=False, or with compile.backend='aot_eager', which needs none"
        ) from error
