"""Boxes of classes become boxes of words in a caption, another one at every look."""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from glip.errors import ConfigError, DatasetError
from glip.registry import TRANSFORMS
from glip.runtime.reading import read_json
from glip.text import Tokenizer
from glip.transforms.caption_budget import fit_caption
from glip.transforms.class_sampler import ClassSampler
from glip.transforms.words import WordTable, write_caption

_PER_BOX = ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags', 'gt_masks')
_TABLES = 32  # data sets whose words are remembered


@TRANSFORMS.register_module()
class RandomSamplingNegPos(BaseTransform):
    """Ask for the classes in a picture and some that are not, in a caption.

    Detection samples (``text`` holds the names of all classes) come out as grounding
    samples: ``text`` is a caption, ``tokens_positive`` has the characters of each name
    in it, and labels index the names in the caption. Rules, after the original:

    * names are cleaned, shuffled and joined by ``separator``, with none at the end;
    * every class of the picture is asked for, as far as the token budget allows;
      others lose their boxes, which are counted, and are never asked for as absent;
    * with ``full_sampling_prob`` there are ``num_sample_negative`` draws of other
      classes, else a uniform number from 1 up to that. Draws come from all names, none
      twice, and those that hit a class of the picture are void, so there are mostly
      fewer absent names than draws; what does not fit the budget is left out;
    * a picture without boxes has at least one name.

    Names that the model reads alike (equal when cleaned, or but for case) are one word:
    asked for once, with the boxes of all of them, and never as absent where one of them
    is there. Classes whose boxes are all to be ignored are not asked for at all.

    Captions keep their words, cut where they are longer than the budget; phrases
    behind the cut lose their boxes, which are counted. For words that are absent from
    their pictures see :class:`NegativeCaptions`.

    Draws come from numpy's global state. Source: microsoft/GLIP
    ``od_to_grounding.py``, of which the names that mmdet gave are kept. Unlike there,
    ``__background__`` is no name, a name too long for the room left does not keep
    shorter ones out, and the budget counts exactly.

    Args:
        tokenizer_name: Whose tokens count, see :class:`glip.text.Tokenizer`.
        num_sample_negative: Most draws of absent names.
        max_tokens: Budget of a caption, ``[CLS]`` and ``[SEP]`` included.
        full_sampling_prob: How likely all these draws are made.
        label_map_file: JSON of label -> name, for data sets that give no ``text``.
        control_prob: The original's ``CONTROL_PROB``, in place of
            ``full_sampling_prob``: how likely one draw, none, and all of them are; a
            fourth number must be 0. A uniform number has the rest.
        min_negatives: Fewest absent names, as far as there are any and they fit.
        max_classes: Most names in a caption. Classes of the picture come first; where
            they are more, some of them lose their boxes.
        vocabulary: Further names to ask for as absent. That none of them is in the
            pictures is the caller's knowledge.
        shuffle: Put names in random order, else in that of the data set.
        prefix: What a caption begins with, such as ``'object detection : '``.
        separator: What stands between two names.
        synonyms: What stands between several words for one class
            (``'Cabinet/shelf'``), of which one is drawn; None keeps them together.

    Attributes:
        counts: In this process so far: ``samples``, ``boxes``, and ``boxes_cut``, the
            boxes left out. Each sample has its own as ``num_boxes_cut``.

    Raises:
        ConfigError: An argument makes no sense.
    """

    def __init__(
        self,
        tokenizer_name: str = 'bert-base-uncased',
        num_sample_negative: int = 85,
        max_tokens: int = 256,
        full_sampling_prob: float = 0.5,
        label_map_file: str | None = None,
        *,
        control_prob: Sequence[float] | None = None,
        min_negatives: int = 0,
        max_classes: int | None = None,
        vocabulary: Sequence[str] = (),
        shuffle: bool = True,
        prefix: str = '',
        separator: str = '. ',
        synonyms: str | None = None,
    ) -> None:
        self.tokenizer = Tokenizer(tokenizer_name)
        self.max_tokens = max_tokens
        self.max_classes = max_classes
        self.vocabulary = _checked_vocabulary(vocabulary)
        self.prefix = prefix
        self.separator = separator
        self.synonyms = synonyms
        between = self._size_beside_words('separator', 'a{}a', separator)
        before = self._size_beside_words('prefix', '{}a', prefix) if prefix else 0
        self._draw = ClassSampler(
            room=max_tokens - 2 - before,
            between=between,
            num_draws=num_sample_negative,
            control_prob=(0, 0, full_sampling_prob)
            if control_prob is None
            else control_prob,
            min_negatives=min_negatives,
            max_classes=max_classes,
            shuffle=shuffle,
        )
        self._names: dict[int, str] | None = None
        if label_map_file:
            self._names = _names_of(read_json(label_map_file), label_map_file)
        self._tables: OrderedDict[Any, WordTable] = OrderedDict()
        self.counts: Counter[str] = Counter()
        self._next_log = 1

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Write the caption, renumber the labels, drop boxes without words.

        Args:
            results: ``gt_bboxes_labels`` (N,) and further ``gt_*`` with N entries, and
                either ``text`` with the names of all classes that labels index
                (``caption_prompt`` beside it), or ``text`` with a caption and
                ``tokens_positive``, entity -> its (begin, end).

        Returns:
            The same with ``text`` a caption, ``tokens_positive``, and labels that
            index it; None where there is nothing to ask for.

        Raises:
            ConfigError: What the transform needs is not there.
            DatasetError: A label has no name or phrase.
        """
        if 'gt_bboxes_labels' not in results:
            raise ConfigError(
                'RandomSamplingNegPos needs labels of boxes: put it behind '
                'LoadAnnotations(with_bbox=True) in the pipeline'
            )
        labels = np.asarray(results['gt_bboxes_labels']).astype(np.int64)
        text = results.get('text')
        if isinstance(text, str):
            new_labels = self._keep_caption(results, text, labels)
        else:
            new_labels = self._ask_for_classes(results, text, labels)
            if new_labels is None:
                return None
        ignored = _ignored(results, labels)
        keep = np.array([label in new_labels for label in labels.tolist()], dtype=bool)
        results['gt_bboxes_labels'] = np.array(
            [new_labels.get(label, -1) for label in labels.tolist()], dtype=np.int64
        )
        if not keep.all():
            for key in _PER_BOX:
                if key in results:
                    results[key] = results[key][keep]
        results['custom_entities'] = False
        results['caption_prompt'] = None
        self._count(results, int((~ignored).sum()), int((~keep & ~ignored).sum()))
        return results

    def _keep_caption(
        self, results: dict[str, Any], caption: str, labels: np.ndarray
    ) -> dict[int, int]:
        """Cut a caption to the budget; old -> new label of phrases that are left."""
        given = results.get('tokens_positive')
        if given is None:
            raise ConfigError(
                f'{_name(results)} has a caption but no tokens_positive that say which '
                'of its words have boxes; read it by ODVGDataset or MDETRDataset'
            )
        _check_labels(labels, range(len(given)), results, 'phrases in its caption')
        fitting = fit_caption(
            caption, given, tokenizer=self.tokenizer, max_tokens=self.max_tokens
        )
        spans = fitting.spans
        if not spans:
            # A prompt needs an entity; without boxes all its words are negatives.
            words = fitting.caption
            begin = len(words) - len(words.lstrip())
            spans = (((begin, len(words.rstrip())),),)
        results['text'] = fitting.caption
        results['tokens_positive'] = spans
        return {old: new for new, old in enumerate(fitting.entities)}

    def _ask_for_classes(
        self, results: dict[str, Any], text: Any, labels: np.ndarray
    ) -> dict[int, int] | None:
        """Write a caption; label -> its place in it for classes that it asks for."""
        table = self._table(results, text)
        _check_labels(labels, table.classes, results, 'names of classes')
        words, places = self._draw(
            table, np.unique(labels), np.unique(labels[~_ignored(results, labels)])
        )
        if not words:
            return None
        results['text'], results['tokens_positive'] = write_caption(
            words, prefix=self.prefix, separator=self.separator
        )
        return places

    def _table(self, results: Mapping[str, Any], text: Any) -> WordTable:
        """Words of the data set, measured at its first picture."""
        if isinstance(text, Mapping):
            text = _names_of(text, _name(results))
        elif text is not None:
            text = tuple(text)
        elif self._names is not None:
            text = self._names
        else:
            raise ConfigError(
                f'{_name(results)} comes without the names of its classes: set '
                'return_classes=True in its data set, or label_map_file of '
                'RandomSamplingNegPos'
            )
        overrides = results.get('caption_prompt') or {}
        numbered = isinstance(text, dict)
        key = (
            tuple(text.items()) if numbered else text,
            tuple((name, *sorted(o.items())) for name, o in overrides.items()),
        )
        if key not in self._tables:
            self._tables[key] = WordTable(
                text if numbered else dict(enumerate(text)),
                self.tokenizer,
                caption_prompt=overrides,
                vocabulary=self.vocabulary,
                synonyms=self.synonyms,
            )
            if len(self._tables) > _TABLES:
                self._tables.popitem(last=False)
        return self._tables[key]

    def _size_beside_words(self, what: str, frame: str, text: str) -> int:
        """Tokens of a text, which must not run into the words beside it."""
        ids, _ = self.tokenizer.tokenize(text)
        word, _ = self.tokenizer.tokenize('a')
        framed, _ = self.tokenizer.tokenize(frame.format(text))
        if framed != [*(word if frame.startswith('a') else ()), *ids, *word]:
            raise ConfigError(
                f'{what}={text!r} runs into the words beside it; let it begin and end '
                'with a space or punctuation'
            )
        return len(ids)

    def _count(self, results: dict[str, Any], boxes: int, cut: int) -> None:
        """Note what was left out, and say so each time it is ten times as much."""
        results['num_boxes_cut'] = cut
        self.counts.update(samples=1, boxes=boxes, boxes_cut=cut)
        if self.counts['boxes_cut'] >= self._next_log:
            while self.counts['boxes_cut'] >= self._next_log:
                self._next_log *= 10
            limit = f' or {self.max_classes} names' if self.max_classes else ''
            print_log(
                f'{self.counts["boxes_cut"]} of {self.counts["boxes"]} boxes in '
                f'{self.counts["samples"]} samples have no room for their words in '
                f'captions of {self.max_tokens} tokens{limit}, so they do not train',
                logger='current',
                level=logging.WARNING,
            )


def _ignored(results: Mapping[str, Any], labels: np.ndarray) -> np.ndarray:
    """Which boxes are no truth to learn."""
    flags = results.get('gt_ignore_flags')
    if flags is None:
        return np.zeros(len(labels), dtype=bool)
    return np.asarray(flags, dtype=bool)


def _name(results: Mapping[str, Any]) -> str:
    """What to call a picture in a message."""
    return str(results.get('img_path', 'a picture'))


def _check_labels(
    labels: np.ndarray, known: Any, results: Mapping[str, Any], what: str
) -> None:
    """Raise DatasetError where a label is none of those known."""
    for label in np.unique(labels).tolist():
        if label not in known:
            raise DatasetError(
                f'{_name(results)}: label {label} but there are {len(known)} {what}; '
                'check the classes of its data set'
            )


def _names_of(label_map: Any, source: str) -> dict[int, str]:
    """Label -> name of a label map, whose keys JSON has made strings."""
    try:
        return {int(label): name for label, name in label_map.items()}
    except (AttributeError, TypeError, ValueError):
        raise DatasetError(
            f'{source}: a label map has the form {{"0": "person", "1": "car"}}'
        ) from None


def _checked_vocabulary(vocabulary: Sequence[str]) -> tuple[str, ...]:
    if isinstance(vocabulary, str):
        raise ConfigError(
            f'vocabulary must be a list of names, not the string {vocabulary!r:.60}'
        )
    return tuple(dict.fromkeys(vocabulary))
