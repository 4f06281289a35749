"""From a loaded model to ONNX files."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from glip.errors import ConfigError, GLIPError, one_line
from glip.export.graphs import (
    BakedGraph,
    PictureGraph,
    WordsGraph,
    attention_written_out,
)
from glip.export.metadata import KEY, WORDS, packed
from glip.export.precision import PRECISIONS, write_smaller
from glip.ops import plain_path
from glip.runtime.atomic import atomic_write
from glip.runtime.extra import require
from glip.text import TextPrompt

_OLDEST = 18  # that the exporter writes
_OPSET = 20  # the first with DeformConv on float32 and GridSample as they are needed


def export_onnx(
    model: nn.Module,
    cfg: Config,
    out: Path,
    *,
    prompt: TextPrompt | None = None,
    with_nms: bool = True,
    opset: int = _OPSET,
    precision: str = 'fp32',
) -> list[Path]:
    """Write a model as ONNX, for any picture size.

    Without a prompt, words are an input: the graph of pictures takes features of
    tokens, and a second file beside it, ``<name>.words.onnx``, makes these of token
    ids. With a prompt its words are part of the one graph, which gives boxes.

    Args:
        model: A GLIP in evaluation mode on the CPU, with its weights.
        cfg: Its config, kept in the file so that ``glip.load`` needs nothing else.
        out: File to write, ending in ``.onnx``.
        prompt: Words to put into the graph.
        with_nms: With a prompt, suppress boxes that overlap in the graph.
        opset: Of ONNX.
        precision: Of the weights in the files, one of
            :data:`~glip.export.precision.PRECISIONS`, see
            :func:`~glip.export.precision.write_smaller`.

    Returns:
        The files.

    Raises:
        GLIPError: onnxscript is missing, or the graph or file cannot be written.
        ConfigError: The name does not end in ``.onnx``, or there is no such opset or
            precision.
    """
    if out.suffix != '.onnx':
        raise ConfigError(f'{out}: the name must end with .onnx')
    if precision not in PRECISIONS:
        raise ConfigError(f'precision {precision!r}: one of {", ".join(PRECISIONS)}')
    newest = require('onnx', 'onnx').defs.onnx_opset_version()
    require('onnxscript', 'onnx')
    if not _OLDEST <= opset <= newest:
        raise ConfigError(f'opset {opset}: choose from {_OLDEST} to {newest}')
    # Within the graphs nothing may depend on how a processor computes.
    model = copy.deepcopy(model).float().eval()
    about = dict(
        config=_of_detection(cfg),
        kind='words as input' if prompt is None else 'words in the graph',
        names=None if prompt is None else list(prompt.names),
        caption=None if prompt is None else prompt.caption,
        nms=with_nms,
    )
    # More than one window at every level and side: one would be traced as the only one.
    window = cfg.model.backbone.get('window_size', 7)
    image = torch.zeros(1, 3, 32 * (window + 1), 32 * (window + 3))
    # As the preprocessing pads: then every level but the last has an even size.
    sides = {2: 32 * torch.export.Dim('rows'), 3: 32 * torch.export.Dim('columns')}
    out.parent.mkdir(parents=True, exist_ok=True)
    write = partial(_write, opset=opset, precision=precision)
    with torch.no_grad(), plain_path(), attention_written_out():
        if prompt is not None:
            graph = _baked(model, prompt, with_nms)
            names = ['boxes', 'scores', 'labels']
            write(out, graph, (image,), ['image'], names, (sides,), about)
            return [out]
        ids = torch.ones(1, 12, dtype=torch.int64)
        mask = torch.ones(1, 12, dtype=torch.bool)
        dims = model.language_model.language_dim
        features = torch.randn(1, 12, dims)
        tokens = {1: torch.export.Dim.DYNAMIC}
        write(
            out,
            PictureGraph(model),
            (image, features, features + 1, mask),
            ['image', 'hidden', 'embedded', 'mask'],
            ['logits', 'deltas', 'centerness'],
            (sides, tokens, tokens, tokens),
            about,
        )
        words = out.with_suffix(WORDS)
        both = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
        write(
            words,
            WordsGraph(model),
            (ids.repeat(2, 1), mask.repeat(2, 1)),
            ['input_ids', 'attention_mask'],
            ['hidden', 'embedded'],
            (both, both),
            dict(kind='words'),
        )
    return [out, words]


def _baked(model: Any, prompt: TextPrompt, with_nms: bool) -> BakedGraph:
    """The graph of one prompt."""
    tokenizer, budget = model.language_model.tokenizer, model.language_model.max_tokens
    encoded = tokenizer.encode(prompt, budget)
    text = model.encode_text([encoded])
    scores_of = model.bbox_head._scores_of(encoded, text.mask.device)
    return BakedGraph(model, text, scores_of, with_nms=with_nms)


def _write(
    path: Path,
    graph: nn.Module,
    inputs: tuple[Any, ...],
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic: tuple[Any, ...],
    about: dict[str, Any],
    *,
    opset: int,
    precision: str,
) -> None:
    """Trace a graph and write it with its metadata."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            program = torch.onnx.export(
                graph.eval(),
                inputs,
                dynamo=True,
                input_names=list(input_names),
                output_names=list(output_names),
                dynamic_shapes=dynamic,
                opset_version=opset,
                verbose=False,
            )
    except Exception as error:  # noqa: BLE001 (the exporter raises anything)
        raise GLIPError(
            f'{path}: the model cannot be written as ONNX of opset {opset} '
            f'({type(error).__name__}: {one_line(error)[:300]})'
        ) from error
    program.model.metadata_props[KEY] = packed(about)
    try:
        with atomic_write(path) as part:
            if precision == 'fp32':
                program.save(str(part), external_data=False)
            else:
                write_smaller(program.model_proto, part, precision)
    except OSError as error:
        raise GLIPError(f'{path}: cannot be written ({error.strerror})') from error


def _of_detection(cfg: Config) -> dict[str, Any]:
    """What of a config detection needs."""
    kept = (
        'model',
        'test_dataloader',
        'test_pipeline',
        'default_scope',
        'lang_model_name',
    )
    fields = cfg.to_dict()
    plain = {key: fields[key] for key in kept if key in fields}
    if 'default_threshold' in fields:
        plain['default_threshold'] = fields['default_threshold']
    return plain
