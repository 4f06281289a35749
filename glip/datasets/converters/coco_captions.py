"""COCO's boxes and COCO's captions, joined to phrases with boxes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from glip.datasets.coco_file import CocoFile, read_coco
from glip.datasets.converters.coco_words import class_words
from glip.datasets.converters.output import PathLike
from glip.datasets.converters.records import corners
from glip.datasets.converters.result import Result
from glip.datasets.converters.write import write_grounding
from glip.datasets.sample import Box, Dropped, GroundingSample, Phrase
from glip.errors import DatasetError
from glip.runtime.progress import track
from glip.runtime.reading import read_json
from glip.text import noun_phrases


class CaptionLinker:
    """Finds the phrases of a caption that must mean annotated boxes.

    A noun phrase that ends with a class's noun means its box where the picture has
    exactly one of the class, and all of them where the noun is a plural and there
    are several. Everything else is left alone, as is a class spoken of twice: which
    box is meant would be a guess.

    Args:
        names: Class names of the annotations.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._one, self._many = class_words(list(names))
        self._longest = max(len(word.split()) for word in self._one)

    def link(
        self, caption: str, boxes: Mapping[str, Sequence[Box]]
    ) -> list[tuple[tuple[int, int], tuple[Box, ...]]]:
        """Phrases of one caption.

        Args:
            caption: The sentence.
            boxes: Class name -> boxes in the picture.

        Returns:
            Character span and boxes of each linked phrase, in reading order.
        """
        spoken = defaultdict(list)
        for span in noun_phrases(caption):
            meaning = self._class_of(caption[slice(*span)])
            if meaning is not None:
                name, *may_mean = meaning
                spoken[name].append((span, may_mean))
        linked = []
        for name, mentions in spoken.items():
            candidates = tuple(boxes.get(name, ()))
            if len(mentions) > 1 or not candidates:
                continue
            span, (one, many) = mentions[0]
            if one if len(candidates) == 1 else many:
                linked.append((span, candidates))
        return sorted(linked)

    def _class_of(self, phrase: str) -> tuple[str, bool, bool] | None:
        """Class that a noun phrase ends with; may it mean one thing, and several?"""
        words = phrase.lower().split()
        for count in range(min(self._longest + 1, len(words)), 0, -1):
            ending = ' '.join(words[-count:])
            one, many = ending in self._one, ending in self._many
            if one or many:
                return self._one.get(ending) or self._many[ending], one, many
        return None


def coco_captions_to_odvg(
    instances: PathLike, captions: PathLike, output: PathLike
) -> Result:
    """Write COCO's captions as grounding records, with its boxes for their phrases.

    Args:
        instances: COCO's ``instances_*.json``.
        captions: ``captions_*.json`` of the same pictures.
        output: Records to write.

    Raises:
        DatasetError: A file cannot be used, or no phrase could be linked.
    """
    dropped = Dropped(os.fspath(captions))
    coco = read_coco(instances, dropped=Dropped(os.fspath(instances)))
    images = {image['id']: image for image in coco.images}
    linker = CaptionLinker(coco.names)
    sentences = caption_annotations(captions)

    def samples() -> Iterator[GroundingSample]:
        for sentence in track(sentences, len(sentences), 'captions'):
            where = f'annotation {sentence.get("id")}'
            image = images.get(sentence.get('image_id'))
            if image is None:
                dropped.add('captions of pictures without boxes', where)
                continue
            caption = str(sentence['caption']).strip()
            sample = GroundingSample.checked(
                file_name=image['file_name'],
                width=image['width'],
                height=image['height'],
                caption=caption,
                phrases=[
                    Phrase((span,), boxes)
                    for span, boxes in linker.link(caption, _boxes_of(coco, image))
                ],
                dropped=dropped,
                where=where,
                image_id=image['id'],
            )
            if not sample.phrases:
                dropped.add('captions without a phrase that must mean a box', where)
                continue
            yield sample

    return write_grounding(
        samples(), output, inputs=[instances, captions], dropped=dropped
    )


def caption_annotations(path: PathLike) -> list[Mapping[str, Any]]:
    """Annotations of a file in the layout of COCO's captions.

    Raises:
        DatasetError: The file is missing or has another layout.
    """
    content = read_json(os.fspath(path))
    sentences = content.get('annotations') if isinstance(content, dict) else None
    if not isinstance(sentences, list) or not all(
        isinstance(entry, dict) and entry.get('caption') for entry in sentences
    ):
        raise DatasetError(
            f'{os.fspath(path)} has no captions: give captions_*.json of COCO, whose '
            'annotations have an image_id and a caption each'
        )
    return sentences


def _boxes_of(coco: CocoFile, image: Mapping[str, Any]) -> dict[str, list[Box]]:
    """Class name -> boxes of one picture.

    A class that also has a crowd is left out: how many there are is not known.
    """
    boxes: dict[str, list[Box]] = defaultdict(list)
    crowds = set()
    for annotation in coco.boxes[image['id']]:
        name = coco.names[coco.labels[annotation['category_id']]]
        if annotation['iscrowd']:
            crowds.add(name)
        boxes[name].append(corners(annotation['bbox']))
    return {name: things for name, things in boxes.items() if name not in crowds}
