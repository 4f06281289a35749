"""The layouts GLIP weights come in, and the way from the original's to ours.

Ours are mmdet's names. The original (microsoft/GLIP) differs in names, in the order
of the channels that Swin's patch merging concatenates, and in the shape of the
per-level scales.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from torch import Tensor

from glip.errors import CheckpointError

Layout = Literal['mmdet', 'original', 'unknown']

# Tuned prompt embedding of the original's prompt tuning (its ``rpn.tunable_linear``).
PROMPT_KEY = 'language_prompt.weight'

# Buffers which every model computes for itself, and layers GLIP never uses.
_DERIVED = re.compile(
    r'relative_position_index$|position_ids$|token_type_ids$|(^|\.)cell_anchors\.'
)
_UNUSED = re.compile(r'(^|\.)cls_logits\.|^backbone\.norm0\.|^rpn\.anchor_generator\.')

_OURS = ('bbox_head.', 'neck.', 'language_model.', 'backbone.stages.')
_ORIGINAL = ('rpn.head.', 'backbone.body.', 'backbone.fpn.', 'language_backbone.')
_NESTS = ('state_dict', 'model', 'module')
_WRAPPERS = ('module.', 'model.')

_SWIN = (
    (r'^backbone\.body\.patch_embed\.proj\.', 'backbone.patch_embed.projection.'),
    (r'^backbone\.body\.layers\.', 'backbone.stages.'),
    (r'^backbone\.body\.', 'backbone.'),
    (r'^(backbone\.stages\.\d+\.blocks\.\d+)\.attn\.', r'\1.attn.w_msa.'),
    (r'^(backbone\.stages\.\d+\.blocks\.\d+)\.mlp\.fc1\.', r'\1.ffn.layers.0.0.'),
    (r'^(backbone\.stages\.\d+\.blocks\.\d+)\.mlp\.fc2\.', r'\1.ffn.layers.1.'),
)
_HEAD = (
    (r'^rpn\.tunable_linear\.', PROMPT_KEY.removesuffix('weight')),
    (r'^rpn\.head\.', 'bbox_head.head.'),
    (r'^(bbox_head\.head\.dyhead_tower\.\d+)\.DyConv\.', r'\1.dyconvs.'),
    (r'^(bbox_head\.head\.dyhead_tower\.\d+)\.AttnConv\.', r'\1.attnconv.'),
)
_LANGUAGE = ((r'^language_backbone\.', 'language_model.language_backbone.'),)
_RENAMES = tuple(
    (re.compile(pattern), new) for pattern, new in (*_SWIN, *_HEAD, *_LANGUAGE)
)
_FPN = re.compile(r'^backbone\.fpn\.(fpn_inner|fpn_layer|top_blocks\.p)(\d+)\.')
_MERGING = re.compile(r'^backbone\.stages\.\d+\.downsample\.(reduction|norm)\.')
_SCALE = re.compile(r'^bbox_head\.head\.scales\.\d+\.scale$')


def is_derived(name: str) -> bool:
    """Whether a model computes this buffer itself, so a file may have it or not."""
    return _DERIVED.search(name) is not None


def is_unused(name: str) -> bool:
    """Whether the original saves these weights but never uses them."""
    return _UNUSED.search(name) is not None


def unwrap(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Find the tensors of the model in what a file holds and strip wrapper prefixes.

    ``state_dict`` (mmengine) and ``model`` (the original) are looked into; other
    entries such as the optimizer, ``ema_state_dict`` or ``model_ema`` are left: an
    mmengine file with averaged weights has them in ``state_dict`` already, and the
    original never loads its own.

    Raises:
        CheckpointError: There is no tensor to be found.
    """
    for nest in _NESTS:
        inner = content.get(nest)
        if isinstance(inner, Mapping) and inner:
            return unwrap(inner)
    state = {
        name.replace('_orig_mod.', ''): value.detach()
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if not state:
        kinds = ', '.join(map(str, list(content)[:5])) or 'nothing'
        raise CheckpointError(f'no weights inside; the file holds {kinds}')
    while prefix := _common(state, _WRAPPERS):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def detect(names: Iterable[str]) -> Layout:
    """Tell whose names these are, prefixes stripped."""
    names = list(names)
    if any(name.startswith(_ORIGINAL) for name in names):
        return 'original'
    if any(name.startswith(_OURS) for name in names):
        return 'mmdet'
    return 'unknown'


def to_mmdet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert a state dict of the original to our names and channel order.

    Names that neither side knows are kept, so that whoever loads the result can name
    them. Anchors, ``cls_logits`` and buffers of the language model are dropped.

    Args:
        state: Name to tensor, without the prefix ``module.``.

    Returns:
        New mapping; only reordered tensors are copies.
    """
    state = {
        name: tensor
        for name, tensor in state.items()
        if not is_unused(name)
        and (not is_derived(name) or name.endswith('relative_position_index'))
    }
    fpn_index = _number_fpn(state)
    converted = {}
    for name, tensor in state.items():
        for pattern, new in _RENAMES:
            name = pattern.sub(new, name)
        name = _FPN.sub(lambda match: fpn_index[match[1], int(match[2])], name)
        if is_unused(name):
            continue
        if _MERGING.match(name):
            tensor = reorder_patch_merging(tensor)
        elif _SCALE.match(name):
            tensor = tensor.reshape(())
        converted[name] = tensor
    return converted


def reorder_patch_merging(tensor: Tensor) -> Tensor:
    """Take the last axis from the original's order of merged channels to unfold's.

    The original concatenates the four neighbours (row, column) = (0, 0), (1, 0),
    (0, 1), (1, 1), each with all its channels. ``nn.Unfold`` keeps each channel's
    neighbours together, row by row: (0, 0), (0, 1), (1, 0), (1, 1).

    Args:
        tensor: (..., 4 * C): the reduction's weight or the norm before it.

    Returns:
        Tensor of the same shape.
    """
    lead, merged = tensor.shape[:-1], tensor.shape[-1]
    neighbours = tensor.reshape(*lead, 4, merged // 4)[..., [0, 2, 1, 3], :]
    return neighbours.transpose(-1, -2).reshape(*lead, merged)


def _number_fpn(names: Iterable[str]) -> dict[tuple[str, int], str]:
    """(kind, number in the original's name) to our prefix of that convolution."""
    convs = {(m[1], int(m[2])) for m in map(_FPN.match, names) if m}
    levels = sorted(number for kind, number in convs if kind == 'fpn_layer')
    extra = sorted(number for kind, number in convs if kind == 'top_blocks.p')
    prefixes = {}
    for index, number in enumerate(levels):
        prefixes['fpn_inner', number] = f'neck.lateral_convs.{index}.conv.'
        prefixes['fpn_layer', number] = f'neck.fpn_convs.{index}.conv.'
    for index, number in enumerate(extra, start=len(levels)):
        prefixes['top_blocks.p', number] = f'neck.fpn_convs.{index}.conv.'
    # A lateral convolution without its output one is not ours to guess.
    return {key: prefixes.get(key, f'backbone.fpn.{key[0]}{key[1]}.') for key in convs}


def _common(names: Iterable[str], prefixes: tuple[str, ...]) -> str | None:
    """The prefix, of those given, which every name has."""
    names = list(names)
    for prefix in prefixes:
        if all(name.startswith(prefix) for name in names):
            return prefix
    return None
