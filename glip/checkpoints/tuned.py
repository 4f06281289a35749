"""Files that hold what a tuning mode has trained, and nothing of the rest.

A safetensors file whose metadata names the mode, the model, its frozen weights by their
fingerprint, and the words. A tuned prompt has one tensor, a row for each token.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from glip.checkpoints.fingerprint import fingerprint
from glip.checkpoints.layouts import PROMPT_KEY
from glip.checkpoints.load import find_file
from glip.checkpoints.match import match
from glip.checkpoints.reader import read_file, tuned_metadata
from glip.errors import CheckpointError, PromptError
from glip.models.detectors import TUNING_MODES, is_tuned
from glip.models.language import TunedPrompt
from glip.runtime.atomic import atomic_write
from glip.text import TextPrompt
from glip.text.prompt import Piece


@dataclasses.dataclass(frozen=True, eq=False)
class TunedWeights:
    """Content of a file of tuned weights.

    Attributes:
        tuning: Mode that trained them.
        state: Name to tensor.
        model: Name of the model's config.
        fingerprint: Of the weights that were left as they are.
        text: The words it was tuned for; None where they were not the same all along.
        input_ids: Tokens of the words of a tuned prompt.
    """

    tuning: str
    state: Mapping[str, Tensor]
    model: str
    fingerprint: str
    text: TextPrompt | None = None
    input_ids: tuple[int, ...] = ()


def save_tuned(weights: TunedWeights, path: str | Path) -> None:
    """Write a file of tuned weights; an existing one is replaced in one step.

    Raises:
        CheckpointError: It cannot be written.
    """
    path = Path(path)
    metadata = {
        'format': 'pt',
        'tuning': weights.tuning,
        'model': weights.model,
        'fingerprint': weights.fingerprint,
        'text': json.dumps(weights.text and dataclasses.asdict(weights.text)),
        'input_ids': json.dumps(weights.input_ids),
    }
    state = {n: t.detach().cpu().clone().contiguous() for n, t in weights.state.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            save_file(state, temporary, metadata=metadata)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f'cannot write {path}: {error}') from error


def read_tuned(source: str | os.PathLike[str]) -> TunedWeights:
    """Read a file of tuned weights; nothing in it is executed.

    Args:
        source: Path or http(s) URL.

    Raises:
        CheckpointError: It cannot be had or read, or is another kind of file.
    """
    if not isinstance(source, str | os.PathLike):
        raise CheckpointError(
            f'{source!r:.60} is no file of tuned weights: give its path, such as '
            'prompt.safetensors'
        )
    path = find_file(os.fspath(source))
    metadata = tuned_metadata(path)
    if metadata is None:
        raise CheckpointError(
            f'{source} is no file of tuned weights, which training with --tuning '
            'prompt, linear_probe or language writes'
        )
    state = read_file(path)
    if not all(tensor.isfinite().all() for tensor in state.values()):
        raise CheckpointError(f'{source} is damaged: it holds NaN or infinity')
    try:
        text = _text(json.loads(metadata['text']))
        input_ids = tuple(map(int, json.loads(metadata['input_ids'])))
        if metadata['tuning'] not in TUNING_MODES:
            raise ValueError(f'tuning {metadata["tuning"]!r} is not known')
        if metadata['tuning'] == 'prompt':
            rows = state.get(PROMPT_KEY, torch.zeros(()))
            if text is None or rows.shape[:-1] != (len(input_ids),) or len(state) > 1:
                raise ValueError('words and rows do not belong together')
    except (
        *(LookupError, TypeError, ValueError, OverflowError, RecursionError),
        PromptError,
    ) as error:
        raise CheckpointError(f'{source} is damaged: {error}') from error
    return TunedWeights(
        metadata['tuning'],
        state,
        metadata['model'],
        metadata['fingerprint'],
        text,
        input_ids,
    )


def load_tuned(model: Any, source: str | os.PathLike[str]) -> None:
    """Put tuned weights into the model that they were trained in.

    A tuned prompt becomes the model's ``tuned_prompt``, which predictions of other
    words refuse.

    Args:
        model: A model with the weights that the training started from.
        source: As for :func:`read_tuned`.

    Raises:
        CheckpointError: As :func:`read_tuned`, or the file is of another model.
    """
    state = add_tuned_weights(model, model.state_dict(), source)
    model.load_state_dict(state, strict=False)


def add_tuned_weights(
    model: Any, state: Mapping[str, Tensor], source: str | os.PathLike[str]
) -> dict[str, Tensor]:
    """As :func:`load_tuned`, for weights that are about to be loaded.

    Args:
        model: Only its ``tuned_prompt`` is changed.
        state: Weights that the training started from, under the model's names.
        source: As for :func:`read_tuned`.

    Returns:
        The weights to load.
    """
    weights = read_tuned(source)
    if weights.tuning == 'prompt':
        model.tuned_prompt = _prompt_for(model, state, weights, source)
        return dict(state)
    _require_start(state, weights, source)
    expected = {name: state[name] for name in weights.state if name in state}
    result = match(weights.state, expected)
    if not result.complete:
        raise CheckpointError(f'{source} does not fit the model; {result.describe()}')
    return {**state, **result.fitting}


def load_prompt(model: Any, source: str | os.PathLike[str]) -> TunedPrompt:
    """Read a prompt for a model, which is not changed.

    Raises:
        CheckpointError: As :func:`load_tuned`, or the file is no tuned prompt.
    """
    return _prompt_for(model, model.state_dict(), read_tuned(source), source)


def _prompt_for(
    model: Any,
    state: Mapping[str, Tensor],
    weights: TunedWeights,
    source: str | os.PathLike[str],
) -> TunedPrompt:
    """The prompt that a file holds, for a model with these weights."""
    if weights.tuning != 'prompt' or weights.text is None:
        raise CheckpointError(
            f'{source} holds no prompt but what tuning={weights.tuning!r} trained: '
            'name it when the model is loaded'
        )
    _require_start(state, weights, source)
    offsets, language = weights.state[PROMPT_KEY].float(), model.language_model
    tokens = language.tokenizer.encode(weights.text).input_ids
    if tokens != weights.input_ids or offsets.shape[1] != language.language_dim:
        raise CheckpointError(
            f'{source} was tuned for {weights.model}, whose vocabulary is another than '
            "this model's"
        )
    return TunedPrompt(weights.text, tokens, offsets)


def _require_start(
    state: Mapping[str, Tensor], weights: TunedWeights, source: str | os.PathLike[str]
) -> None:
    """See that these are the weights that the tuning started from."""
    present = fingerprint(state, weights.tuning)
    if present != weights.fingerprint:
        raise CheckpointError(
            f'{source} was tuned for {weights.model} with weights '
            f'{weights.fingerprint[:8]}, and these are {present[:8]}: load the weights '
            'that the tuning started from'
        )


def tuned_state(state: Mapping[str, Tensor], tuning: str) -> dict[str, Tensor]:
    """What a mode trains of a model's weights."""
    return {name: tensor for name, tensor in state.items() if is_tuned(name, tuning)}


def _text(fields: Any) -> TextPrompt | None:
    if fields is None:
        return None
    return TextPrompt(
        caption=str(fields['caption']),
        spans=tuple(tuple((int(b), int(e)) for b, e in row) for row in fields['spans']),
        labels=tuple(map(int, fields['labels'])),
        names=tuple(map(str, fields['names'])),
        pieces=tuple(
            Piece(str(text), int(begin), int(end))
            for text, begin, end in fields['pieces']
        ),
        separator=str(fields['separator']),
    )
