"""``torch.compile`` of the networks inside a model, and what to say when it fails."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import MethodType
from typing import Any

import torch
from mmengine.logging import print_log
from torch import nn
from torch.utils._pytree import tree_map_only

from glip.errors import ConfigError, TrainingError

MODES = ('default', 'reduce-overhead', 'max-autotune', 'max-autotune-no-cudagraphs')
# What argparse is told of the flag --compile, the same in every tool.
FLAG = dict(
    nargs='?',
    const='default',
    choices=MODES,
    metavar='MODE',
    help='torch.compile, for GPUs: the first picture takes long; modes: '
    f'{", ".join(MODES)} (%(const)s)',
)
_MODES_OF_CUDA_GRAPHS = ('reduce-overhead', 'max-autotune')
# What only depends on tensors. Words and boxes, whose values and numbers would have
# each batch compiled anew, stand around them; BERT is left out, as transformers
# attaches new hooks to it in every call. Backbones are cut into blocks: equal ones are
# compiled once, as in the tower, and the sizes of a map, put through one block after
# the other, would become formulas that take minutes to simplify.
_PARTS = re.compile(
    r'backbone\.(patch_embed|stages\.\d+\.(blocks\.\d+|downsample)|features\.\d+)'
    r'|neck|bbox_head\.head\.dyhead_tower\.\d+'
)
_NECK, _TOWER = 'neck', 'bbox_head.head.dyhead_tower.0'
_COMPILERS = ('torch._dynamo', 'torch._inductor', 'torch._functorch', 'triton')
# Variants of a class of parts: widths of blocks, one picture or several, and on the CPU
# torch's choices of convolutions. With torch's limit of 8 some would run uncompiled.
_MOST_VARIANTS = 64


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
    parts = _parts_of(model)
    for part in parts.values():
        part.forward = _CompiledTraining(part, options)
    print_log(f'compiling {len(parts)} parts: the first steps take long', 'current')


def compile_for_inference(
    model: nn.Module, options: bool | Mapping[str, Any] | None
) -> None:
    """Compile the networks of a model in place, once for pictures of any size.

    The first call compiles, and so does the first with several pictures, or prompts
    of a picture, at a time. Other sizes, prompts and numbers do not. On the CPU small
    maps do, a few times: torch picks their convolutions by size.

    Where CUDA graphs are recorded (modes ``'reduce-overhead'`` and
    ``'max-autotune'``) each picture is a step, and so is each run of the tower. What
    backbone and neck return is copied then, and may be kept for other prompts.

    Args:
        model: A :class:`~glip.models.GLIP` in evaluation mode on its device; another
            model is compiled as a whole.
        options: Whether to, or arguments of ``torch.compile``. ``dynamic`` is True
            unless given.

    Raises:
        ConfigError: ``torch.compile`` has no such argument or value; also later, by
            the first call, where the model could not be compiled.
    """
    options = compile_options(options)
    if options is None:
        return
    options.setdefault('dynamic', True)
    parts = _parts_of(model)
    starts: set[str] = set()
    if _records_cuda_graphs(options):
        starts = {next(iter(parts)), _TOWER}
    for name, part in parts.items():
        try:
            part.forward = _CompiledInference(
                part,
                options,
                starts_step=name in starts,
                copied=bool(starts) and name == _NECK,
            )
        except (RuntimeError, TypeError, ValueError, AttributeError) as error:
            reason = ' '.join(str(error).split())
            raise ConfigError(
                f'compile: torch.compile refuses it ({reason})'
            ) from error
    print_log(f'compiling {len(parts)} parts: the first picture takes long', 'current')


def _parts_of(model: nn.Module) -> dict[str, nn.Module]:
    """What to compile, by name; a backbone that is not known in parts is one."""
    modules = dict(model.named_modules())
    parts = {name: part for name, part in modules.items() if _PARTS.fullmatch(name)}
    if 'backbone' in modules and not any(n.startswith('backbone.') for n in parts):
        parts = {'backbone': modules['backbone'], **parts}
    return parts or {'': model}


def _records_cuda_graphs(options: Mapping[str, Any]) -> bool:
    chosen = options.get('options') or {}
    return options.get('mode') in _MODES_OF_CUDA_GRAPHS or bool(
        chosen.get('triton.cudagraphs')
    )


class _Compiled:
    """Takes the place of a part's ``forward``; copies of the part are not compiled.

    Args:
        part: What is compiled; its own ``forward`` stays as it is.
        options: Arguments of ``torch.compile``.
    """

    def __init__(self, part: nn.Module, options: Mapping[str, Any]) -> None:
        self.part = part
        self.plain: MethodType = part.forward
        self.compiled = torch.compile(self.plain, **options)

    def __reduce__(self) -> tuple:
        return _bound, (self.plain.__func__, self.part)


def _bound(function: Callable[..., Any], part: nn.Module) -> MethodType:
    return MethodType(function, part)


class _CompiledTraining(_Compiled):
    """Evaluates as before: other modes and sizes would each be compiled too."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return (self.compiled if self.part.training else self.plain)(*args, **kwargs)


class _CompiledInference(_Compiled):
    """Lets sizes that happen to be equal, as of square pictures, differ later.

    Args:
        part: As of :class:`_Compiled`.
        options: As of :class:`_Compiled`.
        starts_step: What CUDA graphs returned before may be overwritten from here on.
        copied: Return copies, which later steps leave alone.
    """

    def __init__(
        self,
        part: nn.Module,
        options: Mapping[str, Any],
        *,
        starts_step: bool,
        copied: bool,
    ) -> None:
        super().__init__(part, options)
        # Late, as the compiler takes a second to import; torchvision tells it of its
        # kernels.
        self._dynamo = import_module('torch._dynamo').config
        self._shapes = import_module('torch.fx.experimental._config')
        import_module('torchvision')
        self.starts_step = starts_step
        self.copied = copied

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.starts_step:
            torch.compiler.cudagraph_mark_step_begin()
        with (
            compile_errors_explained(True, training=False),
            self._shapes.patch(use_duck_shape=False),
            self._dynamo.patch(recompile_limit=_MOST_VARIANTS),
        ):
            out = self.compiled(*args, **kwargs)
        return tree_map_only(torch.Tensor, torch.clone, out) if self.copied else out


def compile_options(value: bool | Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Arguments of ``torch.compile``, None when nothing is to be compiled.

    Raises:
        ConfigError: It is neither a truth value nor a dict of such arguments, or there
            is no such mode.
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
    if (mode := options.get('mode')) not in (None, *MODES):
        raise ConfigError(
            f'compile: torch.compile has no mode {mode!r}; it has {", ".join(MODES)}'
        )
    return None if options.get('disable') else options


@contextmanager
def compile_errors_explained(
    wanted: bool | Mapping[str, Any] | None, *, training: bool = True
) -> Iterator[None]:
    """Turn a failure of the compiler into one line.

    Args:
        wanted: ``compile`` of the config.
        training: Whether it was training that compiled.

    Raises:
        TrainingError: The model could not be compiled to train.
        ConfigError: It could not be compiled to infer.
    """
    try:
        yield
    except RuntimeError as error:
        if not wanted or not type(error).__module__.startswith(_COMPILERS):
            raise
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise (TrainingError if training else ConfigError)(
            f'torch.compile failed ({(lines or [type(error).__name__])[0]}): '
            'on the CPU it needs a C++ compiler such as g++, on a GPU Triton; '
            f'{"train with" if training else "leave out --compile, or load with"} '
            "compile=False, or with compile.backend='aot_eager', which needs none"
        ) from error
