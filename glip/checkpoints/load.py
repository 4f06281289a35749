"""Weights from a file, a zoo name or a URL into a model."""

from collections.abc import Mapping
from logging import WARNING
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from glip.checkpoints import zoo
from glip.checkpoints.digest import check_finite
from glip.checkpoints.fingerprint import fingerprint
from glip.checkpoints.int8_rows import restore_embeddings
from glip.checkpoints.layouts import PROMPT_KEY, detect, to_mmdet, unwrap
from glip.checkpoints.match import match
from glip.checkpoints.reader import read_file, tuned_metadata
from glip.errors import CheckpointError
from glip.models.detectors import TUNING_MODES

Source = str | Path | Mapping[str, Any]


def load_state_dict(source: str | Path) -> dict[str, Tensor]:
    """Read weights of any layout and return them under our names.

    Args:
        source: File (ours, mmdet's, the original's, safetensors), zoo name or
            http(s) URL.

    Returns:
        Name to CPU tensor, of the type saved.

    Raises:
        CheckpointError: The file cannot be had, read or understood; one line.
    """
    state = read_checkpoint(source)['state_dict']
    check_finite(state, str(source))
    if detect(state) == 'unknown':
        raise CheckpointError(
            f'{source} is not a GLIP checkpoint: none of its {len(state)} keys is of '
            f'a GLIP head or language model; it has {", ".join(list(state)[:3])}, ...'
        )
    return state


def load_into(
    model: nn.Module, source: Source, *, strict: bool = True, assign: bool = False
) -> None:
    """Load weights into a model, or leave it untouched and say why not.

    Half-precision weights become the model's type. Buffers that a model computes
    itself (relative position index, position ids) are never taken from the file.

    Args:
        model: A model with mmdet's state-dict names, wrapped (DDP) or not.
        source: File, zoo name or URL as for :func:`load_state_dict`, or a state dict.
        strict: Refuse a file that does not serve exactly the model's weights. When
            False, what fits is loaded and the rest is named in a warning.
        assign: Let the model have the tensors of the file, mapped into memory, in place
            of copies. Its parameters are others then than before, of which an optimizer
            must not know.

    Raises:
        CheckpointError: As :func:`load_state_dict`, or keys disagree.
    """
    content = source if isinstance(source, Mapping) else read_checkpoint(source)
    name = 'the state dict' if isinstance(source, Mapping) else str(source)
    state = _normalise(content, name)
    admit_prompt(model, state)
    fitting = fit(model, state, name=name, strict=strict)
    inner = _unwrapped(model)
    if assign:
        fitting = _as_in(inner, fitting)
    inner.load_state_dict(fitting, strict=False, assign=assign)


def _as_in(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of the type, and on the device, of those whose place they take."""
    own = model.state_dict()
    return {name: tensor.to(own[name]).contiguous() for name, tensor in state.items()}


def _unwrapped(model: Any) -> nn.Module:
    if not isinstance(getattr(model, 'module', None), nn.Module):
        return model
    from mmengine.model import is_model_wrapper  # late, as it takes a second

    return model.module if is_model_wrapper(model) else model


def admit_prompt(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give a model without a tuned prompt one, where the weights have such."""
    inner = getattr(_unwrapped(model), 'module', _unwrapped(model))  # within TTA
    if (
        PROMPT_KEY in state
        and hasattr(inner, 'add_language_prompt')
        and inner.language_prompt is None
    ):
        inner.add_language_prompt()


def fit(
    model: nn.Module, state: Mapping[str, Tensor], *, name: str, strict: bool = True
) -> dict[str, Tensor]:
    """Select and shape from ``state`` what ``model`` takes; the model is not changed.

    Args:
        model: Model to be served, wrapped or not.
        state: Weights under our names.
        name: What to call the source in messages.
        strict: As in :func:`load_into`.

    Returns:
        State dict with no name that the model lacks; complete when ``strict``.

    Raises:
        CheckpointError: Keys disagree (strict), or none agrees; or a weight is NaN or
            infinite.
    """
    expected = _unwrapped(model).state_dict()
    result = match(state, expected)
    served = {key: state[key] for key in result.fitting if key in state}
    check_finite(served, name)
    if not result.complete:
        agreeing = [key for key in result.fitting if key in state]
        if strict or not agreeing:
            raise CheckpointError(f'{name} does not fit the model; {result.describe()}')
        print_log(f'{name} fits only in part; {result.describe()}', 'current', WARNING)
    if message := _about_prompt(state, expected):
        print_log(
            f'{name} holds a tuned prompt ({PROMPT_KEY}) {message}', 'current', WARNING
        )
    return result.fitting


def _about_prompt(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> str | None:
    """What a tuned prompt in plain weights means, where it changes results."""
    if PROMPT_KEY not in state:
        return None
    if PROMPT_KEY not in expected:
        return (
            'that the model does not have; results will be those of the untuned model'
        )
    if not state[PROMPT_KEY].any():
        return None
    return (
        'that is added to any words, though it means something with those it was '
        'tuned for only; prompt.safetensors (--prompt, prompt=) refuses others'
    )


def read_checkpoint(source: str | Path) -> dict[str, Any]:
    """Read a whole checkpoint with ``state_dict`` under our names.

    Args:
        source: As for :func:`load_state_dict`.

    Returns:
        ``state_dict`` and, when the file was written by mmengine's runner, the
        training state beside it (``meta``, ``message_hub``, ``optimizer``, ...).

    Raises:
        CheckpointError: The file cannot be had or read, or holds no weights.
    """
    path = find_file(source)
    content = read_file(path)
    if metadata := tuned_metadata(path):
        raise CheckpointError(
            f'{path} holds only what tuning={metadata["tuning"]!r} trained: name it as '
            'prompt (--prompt, prompt=) beside the weights that it started from'
        )
    state = _normalise(content, str(path))
    meta = content.get('meta')
    if isinstance(meta, Mapping) and isinstance(meta.get('tuned'), Mapping):
        state = _completed(state, meta['tuned'], path)
    rest = content if isinstance(content.get('state_dict'), Mapping) else {}
    return {**rest, 'state_dict': state}


def _completed(
    state: Mapping[str, Tensor], tuned: Mapping[str, Any], path: Path
) -> dict[str, Tensor]:
    """Add what a training with a tuning mode left as it was, and so did not store."""
    base, tuning = str(tuned.get('base')), tuned.get('tuning')
    if tuning not in TUNING_MODES:
        raise CheckpointError(f'{path} is damaged: it was tuned by {tuning!r}')
    needs = f'{path} holds only what was tuned, and needs the weights it started from'
    if (
        base.startswith(('http://', 'https://'))
        or Path(base).resolve() == path.resolve()
    ):
        raise CheckpointError(f'{needs}: {base} cannot be those')
    try:
        start = read_checkpoint(base)['state_dict']
    except CheckpointError as error:
        raise CheckpointError(f'{needs}: {error}') from error
    if fingerprint(start, tuning) != tuned.get('fingerprint'):
        raise CheckpointError(f'{needs}: {base} has changed since')
    return {**start, **state}


def find_file(source: str | Path) -> Path:
    """The local file of a path, zoo name or URL, downloaded if need be.

    Raises:
        CheckpointError: There is no such file, name or address.
    """
    text = str(source)
    path = Path(text).expanduser()
    if path.is_file():
        return path
    if text.startswith(('http://', 'https://')):
        return zoo.fetch(text)
    if entry := zoo.find(text):
        return zoo.download(entry)
    if path.exists() or path.suffix:
        return path  # the reader says what is wrong with it
    near = zoo.suggest(text)
    raise CheckpointError(
        f'weights {text!r} are neither a file nor a zoo name'
        + (f'; did you mean {near}?' if near else f' ({", ".join(zoo.names())})')
    )


def _normalise(content: Mapping[str, Any], name: str) -> dict[str, Tensor]:
    try:
        state = unwrap(content)
    except CheckpointError as error:
        raise CheckpointError(f'{name}: {error}') from error
    state = restore_embeddings(state, name)
    return to_mmdet(state) if detect(state) == 'original' else state
