"""WordPiece tokens of a prompt, and which of them stand for which entity."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tokenizers
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from glip.errors import GLIPError, PromptError
from glip.received import parse_json
from glip.text.checks import Span
from glip.text.prompt import TextPrompt

logger = logging.getLogger(__name__)

_PACKAGED = {
    'bert-base-uncased': Path(__file__).parent / 'vocab' / 'bert-base-uncased.txt'
}
_LONGEST_WORD = 100  # characters; the vocabulary knows no longer one
_SPECIAL = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt as the language model sees it.

    Attributes:
        prompt: What was encoded.
        input_ids: ``[CLS]`` ... ``[SEP]``, unpadded, length T.
        entity_tokens: Entity -> ascending indices into ``input_ids``.
    """

    prompt: TextPrompt
    input_ids: tuple[int, ...]
    entity_tokens: tuple[tuple[int, ...], ...]


class Tokenizer:
    """Uncased (or cased) BERT WordPiece, never from the network.

    Same ids and character offsets as transformers' fast BERT tokenizer. Instances
    are immutable, share their vocabulary, and can be copied and pickled.

    Args:
        name: ``'bert-base-uncased'`` (packaged), a folder as ``save_pretrained``
            writes it (``tokenizer.json``, or ``vocab.txt`` with an optional
            ``tokenizer_config.json``), or a ``vocab.txt``.

    Raises:
        GLIPError: ``name`` is none of these or the files cannot be used.
    """

    def __init__(self, name: str = 'bert-base-uncased') -> None:
        self.name = str(name)
        self._setup(_load(self.name))

    def _setup(self, backend: tokenizers.Tokenizer) -> None:
        self._backend = backend
        ids = {token: backend.token_to_id(token) for token in _SPECIAL}
        missing = [token for token, id_ in ids.items() if id_ is None]
        if missing:
            raise GLIPError(
                f'the vocabulary of {self.name!r} has no {", ".join(missing)}; '
                'a BERT WordPiece vocabulary is needed'
            )
        present = [id for id in ids.values() if id is not None]  # all of them
        self.pad_id, self.unk_id, self.cls_id, self.sep_id, self.mask_id = present

    @property
    def vocab_size(self) -> int:
        return self._backend.get_vocab_size()

    def __repr__(self) -> str:
        return f'Tokenizer({self.name!r}, vocab_size={self.vocab_size})'

    def __deepcopy__(self, memo: dict) -> Tokenizer:
        return self

    def __getstate__(self) -> dict:
        # By value unless packaged: the folder need not exist where it is unpickled.
        packaged = self.name in _PACKAGED
        return {
            'name': self.name,
            'json': None if packaged else self._backend.to_str(),
        }

    def __setstate__(self, state: dict) -> None:
        self.name = state['name']
        self._setup(
            _load(self.name) if state['json'] is None else _from_json(state['json'])
        )

    def tokenize(self, text: str) -> tuple[list[int], list[Span]]:
        """Ids and character offsets of ``text``, without ``[CLS]`` and ``[SEP]``."""
        encoding = self._backend.encode(text, add_special_tokens=False)
        return encoding.ids, encoding.offsets

    def decode(self, ids: list[int] | tuple[int, ...]) -> str:
        """Words of token ids, pieces glued together; lower case if uncased."""
        tokens = [self._backend.id_to_token(int(id_)) or '[UNK]' for id_ in ids]
        return ' '.join(tokens).replace(' ##', '')

    def encode(
        self, prompt: TextPrompt, max_tokens: int = 256, truncate: bool = False
    ) -> EncodedPrompt:
        """Tokens of a prompt and of each of its entities.

        Args:
            prompt: What to encode.
            max_tokens: Budget, ``[CLS]`` and ``[SEP]`` included.
            truncate: Cut what is over the budget (for training); entities that
                do not fit as a whole get no tokens. Otherwise it is an error.

        Raises:
            PromptError: Over the budget, or a class of which the vocabulary
                leaves nothing.
        """
        room = max_tokens - 2
        if room < 1:
            raise PromptError(f'a budget of {max_tokens} tokens has no room for a word')
        caption = self._beginning(prompt.caption, room) if truncate else prompt.caption
        ids, offsets = self.tokenize(caption)
        if len(ids) > room and not truncate:
            raise PromptError(self._too_long(prompt, len(ids) + 2, max_tokens))
        at = _tokens_at(offsets, len(caption))
        rows = []
        for spans in prompt.spans:
            row: set[int] = set()
            for span in spans:
                if span[1] <= len(caption):
                    row.update(_span_tokens(offsets, at, span, room))
            rows.append(tuple(sorted(row)))
        self._check_rows(prompt, ids, rows, truncate)
        return EncodedPrompt(
            prompt=prompt,
            input_ids=(self.cls_id, *ids[:room], self.sep_id),
            entity_tokens=tuple(tuple(i + 1 for i in row) for row in rows),
        )

    def _beginning(self, caption: str, room: int) -> str:
        """As much of a caption as decides its first ``room`` tokens.

        What a cut may change are tokens of the last word, which are no more than it
        has characters. A list of a million classes need not be read to its end.
        """
        length = 16 * (room + _LONGEST_WORD)
        while length < len(caption):
            beginning = caption[:length]
            if len(self.tokenize(beginning)[0]) > room + _LONGEST_WORD:
                return beginning
            length *= 4
        return caption

    def _check_rows(
        self,
        prompt: TextPrompt,
        ids: list[int],
        rows: list[tuple[int, ...]],
        truncate: bool,
    ) -> None:
        for row, label in zip(rows, prompt.labels, strict=True):
            name = prompt.names[label]
            if not row and prompt.is_class_prompt and not truncate:
                raise PromptError(
                    f'the vocabulary leaves nothing of {name!r:.60}; '
                    'use other words for it'
                )
            if row and all(ids[i] == self.unk_id for i in row):
                _warn_unknown(self.name, name)

    @staticmethod
    def _too_long(prompt: TextPrompt, count: int, max_tokens: int) -> str:
        if prompt.num_entities == 1 and prompt.is_class_prompt:
            what = f'the name {prompt.names[prompt.labels[0]]!r:.80}'
        else:
            what = 'the list of classes' if prompt.is_class_prompt else 'the caption'
        return (
            f'{what} has {count} tokens, more than the {max_tokens} that fit; '
            'use fewer words'
        )


@lru_cache(maxsize=1024)
def _warn_unknown(vocabulary: str, name: str) -> None:
    logger.warning(
        'no word of %s is in the vocabulary of %s; the model cannot know it',
        f'{name!r:.60}',
        vocabulary,
    )


def _tokens_at(offsets: list[Span], length: int) -> list[int | None]:
    """Character -> the first token that covers it."""
    at: list[int | None] = [None] * length
    for i in reversed(range(len(offsets))):
        begin, end = offsets[i]
        at[begin:end] = [i] * (end - begin)
    return at


def _span_tokens(
    offsets: list[Span], at: list[int | None], span: Span, room: int
) -> range:
    """Indices of the tokens of a character span; none if it is cut by ``room``.

    A span may begin or end on a space, so up to two further characters are tried
    at either side (microsoft/GLIP ``create_positive_map``). Where the original
    gives up, the tokens that overlap the span are taken.
    """
    begin, end = span
    first = _first_token(at, (begin, begin + 1, begin + 2))
    last = _first_token(at, (end - 1, end - 2, end - 3))
    if first is None or last is None or first > last:
        inside = [i for i, (b, e) in enumerate(offsets) if b < end and e > begin]
        if not inside:
            return range(0)
        first, last = inside[0], inside[-1]
    return range(first, last + 1) if last < room else range(0)


def _first_token(at: list[int | None], chars: tuple[int, ...]) -> int | None:
    for char in chars:
        if 0 <= char < len(at) and at[char] is not None:
            return at[char]
    return None


def _load(name: str) -> tokenizers.Tokenizer:
    path = _PACKAGED.get(name, Path(name).expanduser())
    if path.is_dir():
        for file in (path / 'tokenizer.json', path / 'vocab.txt'):
            if file.is_file():
                path = file
                break
        else:
            raise GLIPError(
                f'{name!r} has neither tokenizer.json nor vocab.txt; '
                "save the tokenizer there with save_pretrained('...')"
            )
    if not path.is_file():
        raise GLIPError(
            f'no tokenizer {name!r}: give {" or ".join(map(repr, _PACKAGED))}, a '
            'folder written by save_pretrained, or a vocab.txt (nothing is downloaded)'
        )
    path = path.resolve()
    files = (path, path.parent / 'tokenizer_config.json')
    return _read(path, tuple(f.stat().st_mtime_ns for f in files if f.is_file()))


@lru_cache(maxsize=8)
def _read(path: Path, _mtimes: tuple[int, ...]) -> tokenizers.Tokenizer:
    try:
        text = path.read_text(encoding='utf-8')
    except UnicodeDecodeError:
        raise GLIPError(f'{path} is not a text file; a vocabulary is needed') from None
    if path.suffix == '.json':
        return _from_json(text, path)
    tokens = text.split('\n')
    vocab = {token.rstrip('\r'): i for i, token in enumerate(tokens) if token}
    missing = [token for token in _SPECIAL if token not in vocab]
    if missing:
        raise GLIPError(
            f'{path} has no {", ".join(missing)}; a BERT vocab.txt with one token '
            'per line is needed'
        )
    return _word_piece(vocab, **_options(path.parent / 'tokenizer_config.json'))


def _from_json(text: str, path: Path | str = 'tokenizer') -> tokenizers.Tokenizer:
    try:
        kind = parse_json(text)['model'].get('type')
        if kind == 'WordPiece':
            backend = tokenizers.Tokenizer.from_str(text)
    except (ValueError, KeyError, AttributeError, TypeError):
        raise GLIPError(f'{path} is damaged; save the tokenizer again') from None
    if kind != 'WordPiece':
        raise GLIPError(f'{path} holds a {kind} tokenizer; BERT WordPiece is needed')
    backend.no_truncation()
    backend.no_padding()
    return backend


def _options(path: Path) -> dict:
    if not path.is_file():
        return {}
    try:
        config = parse_json(path.read_text(encoding='utf-8'))
    except ValueError:
        raise GLIPError(f'{path} is damaged; save the tokenizer again') from None
    config = config if isinstance(config, dict) else {}
    options = {
        'lowercase': config.get('do_lower_case', True),
        'strip_accents': config.get('strip_accents'),
        'chinese': config.get('tokenize_chinese_chars', True),
    }
    if not all(isinstance(v, bool | None) for v in options.values()):
        raise GLIPError(f'{path} is damaged: {options} must be true or false')
    return options


def _word_piece(
    vocab: dict[str, int],
    *,
    lowercase: bool = True,
    strip_accents: bool | None = None,
    chinese: bool = True,
) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(
        WordPiece(vocab, unk_token='[UNK]', max_input_chars_per_word=_LONGEST_WORD)
    )
    backend.normalizer = BertNormalizer(
        clean_text=True,
        handle_chinese_chars=chinese,
        strip_accents=strip_accents,
        lowercase=lowercase,
    )
    backend.pre_tokenizer = BertPreTokenizer()
    backend.add_special_tokens(list(_SPECIAL))
    return backend
