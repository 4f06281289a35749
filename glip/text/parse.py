"""The one door from what a user typed to a prompt."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from glip.errors import PromptError
from glip.text.noun_phrases import reads_as_sentence
from glip.text.prompt import TextPrompt

logger = logging.getLogger(__name__)

# '.' before a space or the end, or after a space: 'node.js' and '3.5 inch' survive.
# Other signs between names separate wherever they stand, the wide ones of CJK too.
_SEPARATOR = re.compile(
    r'\.+(?=\s|$)|(?<=\s)\.+(?!\d)|[;|\n\r\u3002\uff0e\uff0c\u3001\uff1b\uff5c]+'
)
# Only where a word begins, as a long one would be gone through from each letter.
_GLUED = re.compile(r'(?<![^\W\d_])[^\W\d_]{2,}(?:[./\\][^\W\d_]{2,})+')


def parse_text(
    text: str | Sequence[str] | Mapping[str, str] | TextPrompt,
    *,
    custom_entities: bool | None = None,
    tokens_positive: int | Sequence[Sequence[Sequence[int]]] | None = None,
    caption_prompt: Mapping[str, Mapping[str, str]] | None = None,
) -> TextPrompt:
    """Prompt of anything a user may pass as text.

    ======================================  =====================================
    ``['bench', 'car']``                    classes, never split
    ``'bench. car'``, ``'bench; car'``      classes (a part that reads as a
                                            sentence makes it a caption); ``|``, a new
                                            line and wide commas separate, too
    ``'$: coco'``                           the class names of a known data set
    ``'a man with his dog'``                caption: one entity per noun phrase
    caption and ``tokens_positive``         caption: the entities you mark
    ``{'puppy': 'dog', 'hound': 'dog'}``    words for classes
    ``TextPrompt``                          itself, other arguments unused
    ======================================  =====================================

    Args:
        text: What to find.
        custom_entities: True: a string is a list of classes, whatever it reads as.
            False and None: the rules above.
        tokens_positive: See :meth:`TextPrompt.from_spans`; ``text`` is the caption.
        caption_prompt: See :meth:`TextPrompt.from_classes`; for classes, so a string
            that comes with it is a list of classes. Unused by the other forms.

    Raises:
        PromptError: Nothing to find in it, or the arguments do not fit together.
    """
    if isinstance(text, TextPrompt):
        return text
    if tokens_positive is not None:
        if not isinstance(text, str):
            raise PromptError(
                'tokens_positive marks characters of a caption, so the text must be a '
                f'string, not {type(text).__name__}'
            )
        return TextPrompt.from_spans(text, tokens_positive)
    if isinstance(text, (list, tuple)):
        return TextPrompt.from_classes(text, caption_prompt=caption_prompt)
    if isinstance(text, Mapping):
        return TextPrompt.from_mapping(text)
    if not isinstance(text, str):
        raise PromptError(
            f'text is {type(text).__name__}; give a string, a list of class names '
            'or a {prompt: class} mapping'
        )
    sign, colon, dataset = (part.strip() for part in text.partition(':'))
    if colon and sign == '$' and '\n' not in dataset:
        names = dataset_classes(dataset)
        return TextPrompt.from_classes(names, caption_prompt=caption_prompt)
    parts = [part.strip() for part in _SEPARATOR.split(text)]
    entities = [part for part in parts if part]
    if not entities:
        raise PromptError(f'the text {text!r:.60} names nothing to find')
    for glued in _GLUED.findall(text):
        _warn_of_glued(glued)
    as_list = len(parts) > 1 and not any(map(reads_as_sentence, entities))
    if custom_entities or caption_prompt or as_list:
        return TextPrompt.from_classes(entities, caption_prompt=caption_prompt)
    return TextPrompt.from_caption(text)


@lru_cache(maxsize=1024)
def _warn_of_glued(words: str) -> None:
    logger.warning(
        '%r is read as one name; write %r to look for several',
        words,
        '. '.join(re.split(r'[./\\]', words)),
    )


def dataset_classes(name: str) -> tuple[str, ...]:
    """Class names of a data set that mmdet knows, such as ``coco`` or ``lvis``.

    Raises:
        PromptError: mmdet does not know it; the message lists what it knows.
    """
    # Late, because only this form of prompt needs mmdet.
    from mmdet.evaluation.functional import class_names

    known = {
        alias.lower(): alias
        for aliases in class_names.dataset_aliases.values()
        for alias in aliases
    }
    if name.lower() not in known:
        raise PromptError(
            f'no data set {name!r:.60}; known: {", ".join(sorted(known))}'
        )
    return tuple(class_names.get_classes(known[name.lower()]))
