"""MDETR's JSON: COCO's layout, a caption per picture, characters of it per box."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from glip.datasets.base import PROBED, PromptedDataset
from glip.datasets.coco_boxes import is_crowd
from glip.datasets.coco_file import checked_images, is_id, read_sections, section
from glip.datasets.phrases import merge_phrases
from glip.datasets.picture_sizes import with_sizes
from glip.datasets.sample import GroundingSample, Phrase, is_finite
from glip.errors import DatasetError
from glip.registry import DATASETS
from glip.runtime.reading import listed


@DATASETS.register_module()
class MDETRDataset(PromptedDataset):
    """GoldG and its relatives: Flickr30k, GQA and the mixed set, RefCOCO's family.

    ``images`` have a ``caption`` (a picture with five captions is listed five times),
    ``annotations`` a ``bbox`` (x, y, w, h) and ``tokens_positive``, characters of the
    caption. Boxes of the same characters are one phrase; of other characters, however
    alike the words, other phrases. What the file says of categories has no effect.

    A box that a teacher wrote may have a ``score``.

    In evaluation, where the file says which phrases are asked for
    (``tokens_positive_eval``), these are the phrases, in that order; and where it says
    which set a caption is of (``dataset_name``), records have it.

    Args:
        *args: See :class:`glip.datasets.base.PromptedDataset`.
        whole_caption: Every box is of the whole caption, as referring expressions are
            evaluated, whatever ``tokens_positive`` says.
        **kwargs: As ``*args``. ``filter_cfg=dict(filter_empty_gt=True)`` leaves out
            captions without a box; otherwise all their words are negatives.

    Attributes:
        num_listed: Captions in the file, once reading it has begun.

    Raises:
        DatasetError: The file is missing or of another format.
    """

    def __init__(self, *args: Any, whole_caption: bool = False, **kwargs: Any) -> None:
        self.whole_caption = whole_caption
        self.num_listed = 0
        super().__init__(*args, **kwargs)

    def samples(self) -> Iterator[GroundingSample]:
        """One sample per caption; see the base."""
        content = read_sections(self.ann_file, self.backend_args)
        images = checked_images(content, self.ann_file)
        _check_captions(images, self.ann_file)
        annotations = self._by_image(content, images)
        self.num_listed = len(images)
        self.pictures.settle([image['file_name'] for image in images[:PROBED]])
        for image in with_sizes(images, self.pictures, self.dropped):
            phrases = [
                self._phrase(annotation, image)
                for annotation in annotations.get(image['id'], ())
            ]
            asked = image.get('tokens_positive_eval') if self.test_mode else None
            sample = GroundingSample.checked(
                file_name=image['file_name'],
                width=image['width'],
                height=image['height'],
                caption=image['caption'],
                phrases=phrases,
                dropped=self.dropped,
                where=f'image {image["id"]}',
                image_id=image['id'],
                dataset_name=_text_of(image, 'dataset_name'),
            )
            merged = merge_phrases(sample.phrases)
            if asked and not self.whole_caption:
                merged = self._asked(asked, merged, image)
            yield replace(sample, phrases=merged)

    def _by_image(
        self, content: Mapping[str, Any], images: Sequence[Mapping[str, Any]]
    ) -> dict[Any, list[Mapping[str, Any]]]:
        """Annotations that have a picture, grouped."""
        known = {image['id'] for image in images}
        grouped: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
        entries: list[Mapping[str, Any]] = []
        if not self.test_mode or 'annotations' in content:
            entries = section(content, 'annotations', self.ann_file)
        for annotation in entries:
            where = f'annotation {annotation.get("id")}'
            image_id = annotation.get('image_id')
            if not is_id(image_id) or image_id not in known:
                self.dropped.add('boxes of pictures that are not listed', where)
            elif is_crowd(annotation):
                self.dropped.add('boxes of crowds', where)
            else:
                grouped[annotation['image_id']].append(annotation)
        return grouped

    def _phrase(
        self, annotation: Mapping[str, Any], image: Mapping[str, Any]
    ) -> Phrase:
        """One box and its words, unchecked."""
        spans = annotation.get('tokens_positive')
        if not isinstance(spans, list):
            spans = ()
        if len(spans) == 2 and all(map(is_finite, spans)):  # one, not in a list
            spans = (spans,)
        if self.whole_caption:
            spans = ((0, len(image['caption'])),)
        box = annotation.get('bbox')
        if isinstance(box, list) and len(box) == 4 and all(map(is_finite, box)):
            x, y, w, h = box
            box = (x, y, x + w, y + h)
        score = annotation.get('score')
        scores = (float(score),) if is_finite(score) else ()
        return Phrase(tuple(spans), (box,), scores)

    def _asked(
        self,
        asked: Sequence[Sequence[Sequence[int]]],
        phrases: Sequence[Phrase],
        image: Mapping[str, Any],
    ) -> tuple[Phrase, ...]:
        """The phrases that an evaluation asks for, each with its boxes."""
        where = f'image {image["id"]}'
        wanted = GroundingSample.checked(
            file_name=image['file_name'],
            width=image['width'],
            height=image['height'],
            caption=image['caption'],
            phrases=[Phrase(tuple(spans), ()) for spans in asked],
            dropped=self.dropped,
            where=where,
            keep_boxless=True,
        ).phrases
        boxes = {phrase.spans: phrase.boxes for phrase in phrases}
        others = boxes.keys() - {phrase.spans for phrase in wanted}
        if others:
            self.dropped.add('phrases that are not asked for', where, len(others))
        return tuple(
            Phrase(phrase.spans, boxes.get(phrase.spans, ())) for phrase in wanted
        )


@DATASETS.register_module()
class Flickr30kDataset(MDETRDataset):
    """The same under mmdet's name, with the keys that its configs pack.

    Records have ``phrases``, the words of each, and ``phrase_ids``, box -> phrase.
    """

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The record of one caption; see the base."""
        record = super().get_data_info(idx)
        record['phrases'] = [
            ' / '.join(record['text'][begin:end] for begin, end in spans)
            for spans in record['tokens_positive']
        ]
        record['phrase_ids'] = [entry['bbox_label'] for entry in record['instances']]
        return record


@DATASETS.register_module()
class MDETRStyleRefCocoDataset(MDETRDataset):
    """RefCOCO's family in MDETR's layout, under mmdet's name: whole captions."""

    def __init__(self, *args: Any, whole_caption: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, whole_caption=whole_caption, **kwargs)


def _text_of(image: Mapping[str, Any], key: str) -> str:
    """A field that is text, or none."""
    value = image.get(key)
    return value if isinstance(value, str) else ''


def _check_captions(images: Sequence[Mapping[str, Any]], path: str) -> None:
    """Each picture must have its sentence."""
    without = [i['id'] for i in images if not isinstance(i.get('caption'), str)]
    if without:
        raise DatasetError(
            f'annotation file {path}: images {listed(without)} have no caption; a '
            'grounding file needs one for each (plain COCO files are for CocoDataset)'
        )
