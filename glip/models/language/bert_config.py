"""Shape of a BERT from its name, without a network."""

from __future__ import annotations

from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from glip.errors import ConfigError

# bert-base-uncased is what BertConfig() describes; its vocabulary is in the package.
PACKAGED = 'bert-base-uncased'


@dataclass(frozen=True)
class BertConfig:
    """Fields of ``transformers.BertConfig`` that an encoder reads, with its defaults.

    Importing transformers takes half a second, and its BERT two more.
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = 'gelu'
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0

    def __post_init__(self) -> None:
        if self.hidden_act != 'gelu':
            raise ConfigError(
                f"language model: hidden_act is 'gelu', not {self.hidden_act!r}"
            )


_FIELDS = tuple(field.name for field in fields(BertConfig))


def resolve_bert_config(name: str = PACKAGED, **overrides: Any) -> BertConfig:
    """Configuration of the BERT called ``name``.

    Args:
        name: 'bert-base-uncased', a directory made by ``save_pretrained``, or the id
            of a model hub.
        overrides: Fields of :class:`BertConfig` that differ, for instance
            ``num_hidden_layers=3``.

    Returns:
        The configuration.

    Raises:
        ConfigError: If the name is neither packaged nor a directory with a
            ``config.json`` nor reachable on the hub, if it is not a BERT, or if there
            is no such field.
    """
    unknown = [field for field in overrides if field not in _FIELDS]
    if unknown:
        near = get_close_matches(unknown[0], _FIELDS, n=1)
        hint = f'did you mean {near[0]}?' if near else f'there are {", ".join(_FIELDS)}'
        raise ConfigError(f'language model: no field {unknown[0]!r}; {hint}')
    if name == PACKAGED:
        return BertConfig(**overrides)
    return BertConfig(**(_fields_of(name) | overrides))


def _fields_of(name: str) -> dict[str, Any]:
    """The fields of a directory or hub id."""
    folder = Path(name)
    if folder.is_dir() and not (folder / 'config.json').is_file():
        raise ConfigError(
            f"language model directory '{name}' has no config.json; make one with "
            'tools/misc/save_bert.py'
        )
    from transformers import BertConfig as HFBertConfig  # late, see above

    try:
        config = HFBertConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"language model '{name}' is neither a local directory nor on a "
            f"reachable hub; use '{PACKAGED}' or a directory made by "
            f'tools/misc/save_bert.py ({str(error).splitlines()[0]})'
        ) from None
    if config.model_type != 'bert':
        raise ConfigError(
            f"language model '{name}' is a {config.model_type}, not a BERT"
        )
    return {field: getattr(config, field) for field in _FIELDS}
