"""A local folder with a language model, for ``lang_model_name``."""

from pathlib import Path

from transformers import AutoTokenizer, BertConfig, BertModel
from transformers import BertTokenizerFast as FastTokenizer  # type: ignore[attr-defined]

from glip.errors import CheckpointError

PACKAGED = 'bert-base-uncased'
_VOCABULARY = (
    Path(__file__).resolve().parent.parent / 'text' / 'vocab' / f'{PACKAGED}.txt'
)


def save_language_model(
    out: str | Path, source: str = PACKAGED, *, weights: bool = True
) -> Path:
    """Write shape, vocabulary and weights of a BERT with ``save_pretrained``.

    The same as the recipe in the README of mmdet's GLIP: the folder serves as
    ``lang_model_name`` where no hub can be reached.

    Args:
        out: Folder to write.
        source: Hub id or local folder to copy from.
        weights: False leaves the weights out, which is enough wherever a checkpoint
            provides them and needs no network for 'bert-base-uncased'.

    Returns:
        ``out``.

    Raises:
        CheckpointError: ``source`` cannot be had or ``out`` not be written.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise CheckpointError(f'{out} is a file; name a folder to write')
    try:
        if source == PACKAGED and not weights:
            config = BertConfig()
            tokenizer = FastTokenizer(vocab=str(_VOCABULARY), do_lower_case=True)
        else:
            config = BertConfig.from_pretrained(source)
            tokenizer = AutoTokenizer.from_pretrained(source)
        parts = [config, tokenizer]
        if weights:
            parts.append(
                BertModel.from_pretrained(
                    source, config=config, add_pooling_layer=False
                )
            )
    except (OSError, ValueError) as error:
        offline = ''
        if not Path(source).is_dir():
            offline = (
                '; without a network give a local folder as source, or leave the '
                'weights out'
            )
        raise CheckpointError(
            f'cannot get the language model {source!r}: '
            f'{str(error).splitlines()[0]}{offline}'
        ) from error
    try:
        out.mkdir(parents=True, exist_ok=True)
        for part in parts:
            part.save_pretrained(out)
    except OSError as error:
        raise CheckpointError(f'cannot write {out}: {error}') from error
    return out
