"""Flickr30k Entities as its authors publish it: sentences, boxes and lists of ids."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple
from xml.etree import ElementTree

from mmengine.fileio import list_from_file
from mmengine.utils import is_abs

from glip.datasets.base import PromptedDataset
from glip.datasets.sample import Box, GroundingSample, Phrase
from glip.errors import DatasetError
from glip.received import check_is_file
from glip.registry import DATASETS

_PHRASE = re.compile(r'\[/EN#(?P<chain>\d+)(?P<types>/[^\s\]]*)?\s+(?P<words>[^\]]*)\]')


class Mention(NamedTuple):
    """A phrase in brackets.

    Attributes:
        chain: Id of the thing or things it means; '0' where they cannot be seen.
        span: Its characters in the sentence without brackets.
        types: ``people``, ``clothing``, ``bodyparts``, ``animals``, ``vehicles``,
            ``instruments``, ``scene``, ``other``; often one, sometimes several.
    """

    chain: str
    span: tuple[int, int]
    types: tuple[str, ...]


@DATASETS.register_module()
class Flickr30kEntitiesDataset(PromptedDataset):
    """``Sentences/<id>.txt``, ``Annotations/<id>.xml`` and the pictures.

    Every sentence is a sample of its own. A phrase in brackets has the boxes of its
    chain; phrases without a box (scenes, what cannot be seen) are words like others.
    A chain that a sentence mentions twice is two phrases with the same boxes. The
    numbers of the boxes are taken as they are written. Phrases keep their types.

    In training, pictures without sentences or boxes are left out and counted; in
    evaluation they are an error, as recall would be of other phrases than asked for.

    Args:
        ann_file: List of picture ids, one a line (``train.txt``, ``val.txt``,
            ``test.txt``); by default every picture that has annotations.
        data_root: Where relative names start from.
        sentences: Folder of the sentences.
        annotations: Folder of the boxes.
        unrelated: The list UNRELATED_CAPTIONS of sentences to pass over, each a
            picture id and the number of its sentence from 1.
        **kwargs: See :class:`glip.datasets.base.PromptedDataset`.

    Raises:
        DatasetError: A folder or a list is missing, a file is of another format, or,
            in evaluation, missing.
    """

    def __init__(
        self,
        ann_file: str = '',
        data_root: str = '',
        *,
        sentences: str = 'Sentences',
        annotations: str = 'Annotations',
        unrelated: str | None = None,
        **kwargs: Any,
    ) -> None:
        def join(path: str) -> str:
            return os.path.join(data_root, path) if not is_abs(path) else path

        self.sentences = join(sentences)
        self.annotations = join(annotations)
        self.unrelated = join(unrelated) if unrelated else None
        super().__init__(ann_file=ann_file, data_root=data_root, **kwargs)

    def samples(self) -> Iterator[GroundingSample]:
        """One sample per sentence; see the base."""
        for folder in (self.sentences, self.annotations):
            if not os.path.isdir(folder):
                raise DatasetError(
                    f'folder {os.path.abspath(folder)} is not there; set data_root to '
                    'where Sentences/ and Annotations/ of Flickr30k Entities are'
                )
        unrelated = self._unrelated()
        for image_id in self._image_ids():
            xml = os.path.join(self.annotations, f'{image_id}.xml')
            text = os.path.join(self.sentences, f'{image_id}.txt')
            missing = [path for path in (xml, text) if not os.path.exists(path)]
            if missing and self.test_mode:
                raise DatasetError(
                    f'{os.path.abspath(missing[0])} is not there, which the picture '
                    f'{image_id} of {self._source} needs; add it, or evaluate a list '
                    'of pictures without this one'
                )
            if missing:
                kind = 'boxes' if missing[0] == xml else 'sentences'
                self.dropped.add(f'pictures without a file of {kind}', image_id)
                continue
            name, width, height, boxes = read_boxes(xml)
            for number, (caption, phrases) in enumerate(read_sentences(text), 1):
                if (image_id, number) in unrelated:
                    self.dropped.add('unrelated captions', f'{image_id} {number}')
                    continue
                boxless = sum(phrase.chain not in boxes for phrase in phrases)
                if boxless:
                    where = f'{image_id} {number}'
                    self.dropped.add('phrases without boxes', where, boxless)
                yield GroundingSample.checked(
                    file_name=name or f'{image_id}.jpg',
                    width=width,
                    height=height,
                    caption=caption,
                    phrases=[
                        Phrase((span,), tuple(boxes[chain]), (), types)
                        for chain, span, types in phrases
                        if chain in boxes
                    ],
                    dropped=self.dropped,
                    where=f'{image_id}.txt, line {number}',
                    image_id=f'{image_id}_{number}',
                )

    @property
    def _source(self) -> str:
        """The annotations, for messages."""
        return self.ann_file or self.annotations

    def _image_ids(self) -> list[str]:
        """Pictures of the list, or all."""
        if not self.ann_file:
            names = sorted(os.listdir(self.annotations))
            return [name[:-4] for name in names if name.endswith('.xml')]
        return [line.strip() for line in _lines(self.ann_file) if line.strip()]

    def _unrelated(self) -> set[tuple[str, int]]:
        """Sentences to pass over."""
        if not self.unrelated:
            return set()
        fields = (line.split() for line in _lines(self.unrelated))
        return {(f[0], int(f[1])) for f in fields if len(f) == 2 and f[1].isdigit()}


def read_sentences(path: str) -> list[tuple[str, list[Mention]]]:
    """Captions of one picture and their phrases.

    Args:
        path: A file of ``Sentences/``.

    Returns:
        Per line the caption without brackets, and its phrases.
    """
    return [_sentence(line) for line in _lines(path) if line.strip()]


def read_boxes(path: str) -> tuple[str, int, int, dict[str, list[Box]]]:
    """Boxes of one picture.

    Args:
        path: A file of ``Annotations/``.

    Returns:
        Name of the picture, its width and height, and the boxes of each chain that
        has any.

    Raises:
        DatasetError: The file is no such XML.
    """
    boxes: dict[str, list[Box]] = defaultdict(list)
    try:
        check_is_file(path)
        root = ElementTree.parse(path).getroot()
        size = [int(root.findtext(f'size/{side}', '')) for side in ('width', 'height')]
        for entry in root.iter('object'):
            corners = entry.find('bndbox')
            if corners is None:
                continue
            sides = ('xmin', 'ymin', 'xmax', 'ymax')
            x1, y1, x2, y2 = (float(corners.findtext(side, '')) for side in sides)
            for name in entry.iter('name'):
                boxes[name.text or ''].append((x1, y1, x2, y2))
    except (ElementTree.ParseError, ValueError) as error:
        raise DatasetError(
            f'{path} is not a file of boxes of Flickr30k Entities ({error})'
        ) from error
    except OSError as error:
        raise DatasetError(f'{path} cannot be read: {error.strerror}') from error
    return root.findtext('filename', ''), size[0], size[1], dict(boxes)


def _sentence(line: str) -> tuple[str, list[Mention]]:
    """A caption and its phrases out of the bracketed form."""
    caption, done = '', 0
    phrases: list[Mention] = []
    line = line.strip()
    for match in _PHRASE.finditer(line):
        caption += line[done : match.start()]
        words = match['words'].strip()
        span = (len(caption), len(caption) + len(words))
        types = tuple(filter(None, (match['types'] or '').split('/')))
        phrases.append(Mention(match['chain'], span, types))
        caption += words
        done = match.end()
    return caption + line[done:], phrases


def _lines(path: str) -> list[str]:
    """Lines of a text file."""
    try:
        check_is_file(path)
        return list_from_file(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise DatasetError(f'{path} cannot be read: {reason}') from error
