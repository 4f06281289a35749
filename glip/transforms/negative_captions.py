"""Words that are not in a picture, for pictures with captions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from glip.errors import ConfigError, DatasetError
from glip.received import check_is_file
from glip.registry import TRANSFORMS
from glip.text import Tokenizer
from glip.text.checks import has_words
from glip.text.lexicon import DETERMINERS, FUNCTION_WORDS

_TRIES = 4  # captions looked at for each one wanted
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_IRREGULAR = {'men': 'man', 'women': 'woman', 'children': 'child', 'people': 'person'}
_AVOID = ('heads', 'phrases', None)


@TRANSFORMS.register_module()
class NegativeCaptions(BaseTransform):
    """Put captions of other pictures around a picture's own.

    Without them a model that learns from captions alone sees no word that is not
    there. Their words are absent ones: no box is for them. Spans of the picture's own
    phrases move with its caption. Captions of the same picture are not taken, and none
    that says a word the picture has a phrase for. Samples of classes pass unchanged;
    :class:`RandomSamplingNegPos` has negatives for those.

    Captions come from the data set of the sample (``captions`` in its record), drawn by
    number from all of it or, in a stream, from those that came last; or they come from
    ``captions_file``. Draws come from numpy's global state. Source: the caption
    loader of microsoft/GLIP, which packs up to 20; it does not check what they say.

    Args:
        num_captions: Most captions put in.
        prob: How likely a sample gets any.
        full_sampling_prob: How likely there are ``num_captions`` of them, else a
            uniform number from 1 up to that; fewer where they do not fit.
        avoid: ``'heads'`` leaves out captions with the main word of one of the
            picture's phrases, in singular or plural (``man`` of *a young man*);
            ``'phrases'`` those with a whole phrase, but for its article; None takes
            all.
        max_tokens: Budget, ``[CLS]`` and ``[SEP]`` included.
        tokenizer_name: Whose tokens count, see :class:`glip.text.Tokenizer`.
        shuffle: Put the captions in random order, else the picture's own first.
        captions_file: Text file with a caption per line, instead of the data set's.

    Raises:
        ConfigError: An argument makes no sense.
        DatasetError: ``captions_file`` is missing or empty.
    """

    def __init__(
        self,
        num_captions: int = 20,
        prob: float = 0.5,
        *,
        full_sampling_prob: float = 0.0,
        avoid: str | None = 'heads',
        max_tokens: int = 256,
        tokenizer_name: str = 'bert-base-uncased',
        shuffle: bool = True,
        captions_file: str | None = None,
    ) -> None:
        if num_captions < 1:
            raise ConfigError(f'num_captions must be at least 1, not {num_captions}')
        for name, value in (('prob', prob), ('full_sampling_prob', full_sampling_prob)):
            if not 0 <= value <= 1:
                raise ConfigError(f'{name} must be from 0 to 1, not {value}')
        if avoid not in _AVOID:
            raise ConfigError(f'avoid must be one of {_AVOID}, not {avoid!r}')
        self.num_captions = num_captions
        self.prob = prob
        self.full_sampling_prob = full_sampling_prob
        self.avoid = avoid
        self.max_tokens = max_tokens
        self.tokenizer = Tokenizer(tokenizer_name)
        self.shuffle = shuffle
        self._captions: Sequence[tuple[str | None, str]] | None = None
        if captions_file:
            self._captions = _read(captions_file)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Lengthen the caption, move the spans.

        Args:
            results: ``text``, a caption; ``tokens_positive``, entity -> its (begin,
                end); ``captions``, file name and caption by number; and
                ``sample_idx``, the number of this one.

        Returns:
            The same with more in ``text``; labels keep their meaning.

        Raises:
            ConfigError: There is nowhere to draw from.
        """
        source = results.pop('captions', None)
        source = source if self._captions is None else self._captions
        caption = results.get('text')
        if results.get('dataset_mode') == 'OD' or not isinstance(caption, str):
            return results
        if source is None:
            raise ConfigError(
                f'{results.get("img_path", "a picture")}: NegativeCaptions has nothing '
                'to draw from, as its data set cannot be looked up by number; give '
                'captions_file'
            )
        if np.random.random() >= self.prob:
            return results
        spans = results['tokens_positive']
        sample_index = results.get('sample_idx') if self._captions is None else None
        picture = None if sample_index is None else source[sample_index][0]
        others = self._draw(source, caption, spans, picture)
        if not others:
            return results
        texts = [caption, *others]
        order = range(len(texts))
        if self.shuffle:
            order = np.random.permutation(len(texts)).tolist()
        packed, shift = '', 0
        for i in order:
            if packed:
                packed += _joint(packed)
            if i == 0:
                shift = len(packed)
            packed += texts[i]
        results['text'] = packed
        results['tokens_positive'] = tuple(
            tuple((begin + shift, end + shift) for begin, end in entity)
            for entity in spans
        )
        return results

    def _draw(
        self,
        source: Sequence[tuple[str | None, str]],
        caption: str,
        spans: Sequence[Sequence[Sequence[int]]],
        picture: str | None,
    ) -> list[str]:
        """Captions that fit and do not speak of the same things."""
        number = self.num_captions
        if np.random.random() >= self.full_sampling_prob:
            number = int(np.random.randint(1, number + 1))
        room = self.max_tokens - 2 - self._size(caption)
        forbidden = self._forbidden(caption, spans)
        known = {_plain(caption)}
        chosen: list[str] = []
        for index in np.random.randint(len(source), size=_TRIES * number).tolist():
            if len(chosen) == number or room < 2:
                break
            other_picture, other = source[index]
            plain = _plain(other)
            if (
                not has_words(other)
                or plain in known
                or (picture is not None and other_picture == picture)
            ):
                continue
            known.add(plain)
            # A word is at least a token, so most that do not fit need no counting.
            too_long = plain.count(' ') - 1 > room
            if too_long or any(words in plain for words in forbidden):
                continue
            other = other.strip()
            size = self._size(other)
            if size <= room:
                room -= size
                chosen.append(other)
        return chosen

    def _size(self, caption: str) -> int:
        """Tokens of a caption and what follows it."""
        return len(self.tokenizer.tokenize(caption + _joint(caption))[0])

    def _forbidden(
        self, caption: str, spans: Sequence[Sequence[Sequence[int]]]
    ) -> set[str]:
        """What other captions must not say, as it stands in :func:`_plain`."""
        forbidden: set[str] = set()
        for entity in spans if self.avoid else ():
            words = _words(' '.join(caption[begin:end] for begin, end in entity))
            while len(words) > 1 and words[0] in DETERMINERS:
                words = words[1:]
            if self.avoid == 'heads':
                ends = [*words[1:], 'of']
                pairs = zip(words, ends)
                forbidden.update(
                    f' {_singular(word)} '
                    for word, following in pairs
                    if following in FUNCTION_WORDS and word not in FUNCTION_WORDS
                )
            elif words:
                forbidden.add(f' {" ".join(map(_singular, words))} ')
        return forbidden


def _read(path: str) -> list[tuple[None, str]]:
    """Captions of a file, of pictures that are nobody's."""
    try:
        check_is_file(path)
        lines = Path(path).read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f'captions_file {path} cannot be read: {error}') from error
    captions = [(None, line) for line in lines if has_words(line)]
    if not captions:
        raise DatasetError(f'captions_file {path} has no caption; one per line is due')
    return captions


def _joint(caption: str) -> str:
    """What goes between a caption and the next."""
    return ' ' if caption.rstrip().endswith(('.', '!', '?')) else '. '


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _plain(text: str) -> str:
    """Words between single blanks, also before the first and behind the last."""
    return f' {" ".join(map(_singular, _words(text)))} '


def _singular(word: str) -> str:
    """Word without a plural ending; a made-up word at worst, but for all alike."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 3 and word.endswith('s') and not word.endswith('ss'):
        return word[:-1]
    return word
