"""ODVG back to the layouts of COCO and of MDETR."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from glip.datasets.coco_file import read_sections, section
from glip.datasets.converters.numbering import PictureIds
from glip.datasets.converters.output import CocoWriter, PathLike
from glip.datasets.converters.records import xywh
from glip.datasets.converters.result import Result, require
from glip.datasets.converters.write import check_files
from glip.datasets.odvg import ODVGDataset
from glip.datasets.sample import DetectionSample, Dropped, GroundingSample, Sample
from glip.errors import DatasetError
from glip.runtime.progress import count_lines, track
from glip.runtime.reading import json_lines, listed

_THINGS = [{'id': 1, 'name': 'object', 'supercategory': 'object'}]


def odvg_to_coco(
    path: PathLike,
    output: PathLike | None = None,
    *,
    label_map: PathLike | None = None,
    like: PathLike | None = None,
    first_id: int = 1,
) -> Result:
    """Write detection records as a COCO-format file.

    Args:
        path: The records.
        output: The file to write, by default ``<path without ending>_coco.json``.
        label_map: Class names; by default ``<path without ending>_label_map.json``,
            or where there is none the names that the boxes carry.
        like: A COCO-format file whose categories, with their ids, are taken over.
        first_id: Category id of label 0, without ``like``.

    Raises:
        DatasetError: The files cannot be used, or the result not be written.
    """
    path = os.fspath(path)
    stem = os.path.splitext(path)[0]
    output = f'{stem}_coco.json' if output is None else os.fspath(output)
    if label_map is None and os.path.isfile(f'{stem}_label_map.json'):
        label_map = f'{stem}_label_map.json'
    inputs = [source for source in (path, label_map, like) if source is not None]
    check_files(inputs, [output])
    dropped = Dropped(path)
    with tempfile.TemporaryDirectory() as folder:
        if label_map is None:
            label_map = os.path.join(folder, 'label_map.json')
            with open(label_map, 'w', encoding='utf-8') as file:
                json.dump(_names_of_boxes(path), file)
        dataset = _reader(path, dropped, label_map_file=os.fspath(label_map))
        samples = _tracked(dataset, path)
        # The first record is read before the names are known to the reader.
        first = next(samples, None)
    if first is None:
        raise DatasetError(f'{path} is empty')
    categories, ids = _categories(dataset.names, like, first_id)
    taken, boxes = PictureIds(), 0
    with CocoWriter(output, {'categories': categories}, inputs=inputs) as writer:
        for sample in chain([first], samples):
            if not isinstance(sample, DetectionSample):
                raise DatasetError(
                    f'{path}: the record of {sample.file_name} is a sentence with '
                    'phrases; odvg2mdetr.py converts those'
                )
            image_id = taken.take(sample.image_id)
            writer.add_image({'id': image_id, **_picture(sample)})
            for box, label in zip(sample.boxes, sample.labels):
                x, y, w, h = xywh(box)
                writer.add_annotation(
                    {
                        'image_id': image_id,
                        'category_id': ids[label],
                        'bbox': [x, y, w, h],
                        'area': w * h,
                        'iscrowd': 0,
                    }
                )
                boxes += 1
    written = Counter(
        pictures=writer.num_images, boxes=boxes, categories=len(categories)
    )
    return Result(output, written, dropped)


def odvg_to_mdetr(
    path: PathLike,
    output: PathLike | None = None,
    *,
    dataset_name: str = 'flickr',
) -> Result:
    """Write grounding records as MDETR's annotation files are, one entry a caption.

    Scores of boxes that a teacher wrote become ``score`` of their annotations.

    Args:
        path: The records.
        output: The file to write, by default ``<path without ending>_mdetr.json``.
        dataset_name: What ``dataset_name`` of each entry says.

    Raises:
        DatasetError: The file cannot be used, or the result not be written.
    """
    path = os.fspath(path)
    stem = os.path.splitext(path)[0]
    output = f'{stem}_mdetr.json' if output is None else os.fspath(output)
    check_files([path], [output])
    dropped = Dropped(path)
    taken = PictureIds()
    sentences: Counter[str] = Counter()
    written = Counter(captions=0, phrases=0, boxes=0)
    header = {'info': {}, 'licenses': [], 'categories': _THINGS}
    with CocoWriter(output, header, inputs=[path]) as writer:
        for sample in _tracked(_reader(path, dropped), path):
            if not isinstance(sample, GroundingSample):
                raise DatasetError(
                    f'{path}: the record of {sample.file_name} has boxes of classes; '
                    'odvg2coco.py converts those'
                )
            image_id = taken.take(sample.image_id)
            number = sentences[sample.file_name]
            sentences[sample.file_name] += 1
            writer.add_image(
                {
                    'id': image_id,
                    **_picture(sample),
                    'original_img_id': _original_id(sample.file_name),
                    'sentence_id': number,
                    'caption': sample.caption,
                    'dataset_name': dataset_name,
                    'tokens_negative': [[0, len(sample.caption)]],
                    'tokens_positive_eval': [list(p.spans) for p in sample.phrases],
                }
            )
            _add_phrases(writer, sample, image_id)
            written['captions'] += 1
            written['phrases'] += len(sample.phrases)
        require(writer.num_images, dropped)
    written['boxes'] = writer.num_annotations
    return Result(output, written, dropped)


def _add_phrases(writer: CocoWriter, sample: GroundingSample, image_id: int) -> None:
    """One annotation per box, which says the characters it belongs to."""
    for number, phrase in enumerate(sample.phrases):
        for i, box in enumerate(phrase.boxes):
            x, y, w, h = xywh(box)
            annotation: dict[str, Any] = {
                'image_id': image_id,
                'phrase_ids': number,
                'category_id': 1,
                'bbox': [x, y, w, h],
                'area': w * h,
                'iscrowd': 0,
                'tokens_positive': list(phrase.spans),
            }
            if phrase.scores:
                annotation['score'] = phrase.scores[i]
            writer.add_annotation(annotation)


def _reader(path: str, dropped: Dropped, **kwargs: Any) -> ODVGDataset:
    """The data set of the records, of which only the reading is used."""
    dataset = ODVGDataset(ann_file=path, lazy_init=True, test_mode=True, **kwargs)
    dataset.dropped = dropped
    return dataset


def _tracked(dataset: ODVGDataset, path: str) -> Iterator[Any]:
    yield from track(dataset.samples(), count_lines(path), 'records')


def _picture(sample: Sample) -> dict[str, Any]:
    return {
        'file_name': sample.file_name,
        'height': sample.height,
        'width': sample.width,
    }


def _original_id(file_name: str) -> int | str:
    """What tells the pictures apart: the number that the file is named by, if so."""
    name = str(PurePosixPath(file_name).with_suffix(''))
    return int(name) if name.isdecimal() else name


def _names_of_boxes(path: str) -> dict[int, str]:
    """Label -> class name, of the names that each box carries beside its label."""
    names: dict[int, str] = {}
    for number, record in json_lines(path):
        part = record.get('detection')
        instances = part.get('instances') if isinstance(part, dict) else None
        for instance in instances if isinstance(instances, list) else []:
            known = instance if isinstance(instance, dict) else {}
            label, name = known.get('label'), known.get('category')
            if not isinstance(label, int) or not isinstance(name, str):
                raise DatasetError(
                    f'{path}, line {number}: a box without the name of its class; '
                    'give --label-map'
                )
            if names.setdefault(label, name) != name:
                raise DatasetError(
                    f'{path}, line {number}: label {label} is {name!r} here and '
                    f'{names[label]!r} before; give --label-map'
                )
    if not names:
        raise DatasetError(f'{path} has no boxes of classes; give --label-map')
    return names


def _categories(
    names: tuple[str, ...], like: PathLike | None, first_id: int
) -> tuple[list[dict[str, Any]], list[int]]:
    """The section of categories, and label -> category id."""
    if like is None:
        ids = [first_id + label for label in range(len(names))]
        return [{'id': i, 'name': name} for i, name in zip(ids, names)], ids
    like = os.fspath(like)
    categories = section(read_sections(like), 'categories', like)
    known = {str(category.get('name')): category.get('id') for category in categories}
    missing = [name for name in names if name not in known]
    if missing:
        raise DatasetError(f'{like} has no category for {listed(missing)}')
    return categories, [known[name] for name in names]
