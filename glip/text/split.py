"""A class list that does not fit one prompt becomes several."""

from __future__ import annotations

from glip.errors import PromptError
from glip.text.prompt import TextPrompt
from glip.text.tokenizer import EncodedPrompt, Tokenizer


def split_prompt(
    prompt: TextPrompt,
    tokenizer: Tokenizer,
    *,
    max_tokens: int = 256,
    chunk_size: int = -1,
) -> tuple[EncodedPrompt, ...]:
    """Encode a prompt, as several if its classes do not fit into one.

    Classes are packed in their order, each prompt as full as it gets. ``names`` and
    labels of every part keep indexing the full list.

    Args:
        prompt: Classes or a caption; a caption is never split.
        tokenizer: Whose tokens count.
        max_tokens: Budget of one prompt, ``[CLS]`` and ``[SEP]`` included.
        chunk_size: Most classes in one prompt; no limit if not positive.

    Raises:
        PromptError: A caption, or one name alone, is over the budget.
    """
    if not prompt.is_class_prompt:
        return (tokenizer.encode(prompt, max_tokens),)
    room = max(max_tokens - 2, 1)
    between = len(tokenizer.tokenize(prompt.separator)[0])
    chunks: list[list[int]] = []
    used = 0
    for entity, piece in enumerate(prompt.pieces):
        count = len(tokenizer.tokenize(piece.text)[0])
        if count > room:
            name = prompt.names[prompt.labels[entity]]
            raise PromptError(
                f'the name {name!r:.80} has {count + 2} tokens, more than the '
                f'{max_tokens} that fit; use fewer words'
            )
        full = bool(chunks) and 0 < chunk_size <= len(chunks[-1])
        if not chunks or full or used + between + count > room:
            chunks.append([entity])
            used = count
        else:
            chunks[-1].append(entity)
            used += between + count
    if len(chunks) == 1:
        return (tokenizer.encode(prompt, max_tokens),)
    return tuple(tokenizer.encode(prompt.subset(c), max_tokens) for c in chunks)
