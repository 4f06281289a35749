"""Comparing a state dict with a model: what disagrees, and why that may be."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from glip.checkpoints.layouts import PROMPT_KEY, detect, is_derived, is_unused

_SHOWN = 3
_TOWER = re.compile(r'\.dyhead_tower\.(\d+)\.')
_PATCH = 'backbone.patch_embed.projection.weight'


@dataclass(frozen=True)
class Match:
    """A state dict held against a model.

    Attributes:
        fitting: Every name of the model that the file can serve, shaped as there,
            and the model's own tensors for buffers it derives.
        missing: Names the model has and the file lacks.
        unexpected: Names the file has and the model lacks.
        mismatched: 'name: what the file has / what the model has'.
        hint: Likely reason, or ''.
    """

    fitting: dict[str, Tensor]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]
    hint: str

    @property
    def complete(self) -> bool:
        """Whether nothing disagrees."""
        return not (self.missing or self.unexpected or self.mismatched)

    def describe(self) -> str:
        """One line: how many keys disagree, the first few of each kind, the hint."""
        parts = [
            f'{len(names)} {kind} ({_few(names)})'
            for kind, names in (
                ('missing', self.missing),
                ('unexpected', self.unexpected),
                ('of another shape or type', self.mismatched),
            )
            if names
        ]
        line = 'keys that disagree: ' + ', '.join(parts)
        return f'{line}; {self.hint}' if self.hint else line


def match(state: Mapping[str, Tensor], model: Mapping[str, Tensor]) -> Match:
    """Hold the tensors of a file (our names) against a model's state dict."""
    fitting, missing, mismatched = {}, [], []
    for name, own in model.items():
        if not isinstance(own, Tensor):  # extra state of third-party modules
            continue
        if is_derived(name):
            fitting[name] = own
        elif name == PROMPT_KEY and name not in state:
            fitting[name] = torch.zeros_like(own)  # a file without a tuned prompt
        elif name not in state:
            missing.append(name)
        elif problem := _disagreement(state[name], own):
            mismatched.append(f'{name}: {problem}')
        else:
            # Files of mmdet hold one-element vectors where the model has a scalar.
            fitting[name] = state[name].reshape(own.shape)
    unexpected = [
        name
        for name in state
        if name not in model
        and not (is_derived(name) or is_unused(name) or name == PROMPT_KEY)
    ]
    return Match(
        fitting=fitting,
        missing=tuple(missing),
        unexpected=tuple(unexpected),
        mismatched=tuple(mismatched),
        hint=_hint(state, model),
    )


def _disagreement(theirs: Tensor, own: Tensor) -> str | None:
    if theirs.is_meta or theirs.is_quantized or theirs.layout != torch.strided:
        return 'not a plain tensor in the file'
    if theirs.shape != own.shape and not theirs.numel() == own.numel() == 1:
        return f'{_size(theirs)} in the file, {_size(own)} in the model'
    if theirs.is_floating_point() != own.is_floating_point():
        return f'{theirs.dtype} in the file, {own.dtype} in the model'
    return None


def _hint(state: Mapping[str, Tensor], model: Mapping[str, Tensor]) -> str:
    if detect(state) == 'unknown' and not set(state) & set(model):
        return 'it is not a GLIP checkpoint'
    theirs, ours = _is_fused(state), _is_fused(model)
    if _tower(state) and ours and not theirs:
        return (
            'the file has no early fusion (GLIP-T (A)) and the config builds it: '
            'take a swin-t_a config or the weights of another variant'
        )
    if _tower(model) and theirs and not ours:
        return (
            'the file has early fusion (GLIP-T (B), (C), GLIP-T, GLIP-L) and the '
            'config builds none: take the config of that variant'
        )
    if _PATCH in state and _PATCH in model:
        channels, expected = len(state[_PATCH]), len(model[_PATCH])
        if channels != expected:
            return (
                f'the Swin in the file has {channels} channels and that of the config '
                f'{expected} (96 in GLIP-T, 192 in GLIP-L)'
            )
    layers, expected = _tower(state), _tower(model)
    if layers and expected and layers != expected:
        return (
            f'the head in the file has {layers} layers and that of the config '
            f'{expected}'
        )
    return ''


def _is_fused(names: Iterable[str]) -> bool:
    return any('.b_attn.' in name for name in names)


def _tower(names: Iterable[str]) -> int:
    """Number of elements of the DyHead tower."""
    return 1 + max((int(m[1]) for m in map(_TOWER.search, names) if m), default=-1)


def _size(tensor: Tensor) -> str:
    return 'x'.join(map(str, tensor.shape)) or 'scalar'


def _few(names: tuple[str, ...]) -> str:
    more = ', ...' if len(names) > _SHOWN else ''
    return ', '.join(names[:_SHOWN]) + more
