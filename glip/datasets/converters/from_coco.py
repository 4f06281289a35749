"""Boxes of classes in COCO's layout, of any data set, to ODVG."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmdet.datasets import CocoDataset

from glip.datasets.coco_file import CocoFile, read_coco
from glip.datasets.converters.output import PathLike
from glip.datasets.converters.records import corners
from glip.datasets.converters.result import Result
from glip.datasets.converters.write import check_files, write_detection
from glip.datasets.picture_files import PictureFiles
from glip.datasets.picture_sizes import with_frames, with_sizes
from glip.datasets.sample import DetectionSample, Dropped
from glip.errors import DatasetError
from glip.runtime.progress import track

# Words misspelt in the annotations of Objects365 v2.
_OBJECTS365_NAMES = {
    'Bakset': 'Basket',
    'Ballon': 'Balloon',
    'Billards': 'Billiards',
    'Buttefly': 'Butterfly',
    'Campel': 'Camel',
    'Dinning Table': 'Dining Table',
    'Extention Cord': 'Extension Cord',
    'Hamimelon': 'Hami melon',
    'Hotair ballon': 'Hot air balloon',
    'Meat ball': 'Meatball',
    'Moniter/TV': 'Monitor/TV',
    'Mushroon': 'Mushroom',
    'Noddles': 'Noodles',
    'Table Teniis paddle': 'Table Tennis paddle',
    'Tape Measur/ Ruler': 'Tape Measure/ Ruler',
    'Tea pot': 'Teapot',
}


@dataclass(frozen=True)
class Source:
    """What is particular about a public data set.

    Attributes:
        label_map: Name of the file of class names, beside the records; by default
            the records' own with ``_label_map.json`` at its end.
        names: All classes in the order labels shall have, also where a file lists
            only some; by default those of the file in the order of their ids.
        renamed: Class name in the file -> the word it means.
        absent: Ids of pictures that are annotated but were never published; counted
            only of files that name pictures as the data set does.
        file_name: Record of a picture -> its path below the folder of pictures.
    """

    label_map: str | None = None
    names: tuple[str, ...] | None = None
    renamed: Mapping[str, str] | None = None
    absent: frozenset[int] = frozenset()
    file_name: Callable[[Mapping[str, Any]], str] = lambda image: image['file_name']


def _in_patches(image: Mapping[str, Any]) -> str:
    """Objects365 v2 names 'images/v1/patch8/x.jpg' what lies at 'patch8/x.jpg'."""
    name: str = image['file_name']
    for folder in ('images/v1/', 'images/v2/'):
        name = name.removeprefix(folder)
    return name


def _in_coco_folders(image: Mapping[str, Any]) -> str:
    """LVIS tells the split only in the address: '.../train2017/000000000009.jpg'."""
    address = image.get('coco_url')
    if not address:
        return str(image['file_name'])
    return '/'.join(str(address).split('/')[-2:])


SOURCES = {
    'custom': Source(),
    'coco': Source('coco2017_label_map.json', tuple(CocoDataset.METAINFO['classes'])),
    'o365v1': Source('o365v1_label_map.json', absent=frozenset({6, 19, 23})),
    'o365v2': Source(
        'o365v2_label_map.json',
        renamed=_OBJECTS365_NAMES,
        absent=frozenset({908726, 320532, 320534}),
        file_name=_in_patches,
    ),
    'v3det': Source('v3det_2023_v1_label_map.json'),
    'lvis': Source('lvis_v1_label_map.json', file_name=_in_coco_folders),
}


def coco_to_odvg(
    path: PathLike,
    output: PathLike | None = None,
    *,
    dataset: str = 'custom',
    classes: Sequence[str] | None = None,
    label_map: PathLike | None = None,
) -> Result:
    """Write a COCO-format file as detection records, and its label map.

    Args:
        path: The annotations.
        output: Records to write, by default ``<path without .json>_od.json``.
        dataset: What is particular about them, one of ``SOURCES``.
        classes: The classes wanted, in the order labels shall have.
        label_map: Class names to write; see ``Source``.

    Raises:
        DatasetError: The file cannot be used, or the results not be written.
    """
    path = os.fspath(path)
    source = SOURCES[dataset]
    output = default_output(path, '_od') if output is None else os.fspath(output)
    if label_map is None and source.label_map is not None:
        label_map = os.path.join(os.path.dirname(output), source.label_map)
    check_files([path], [output])
    dropped = Dropped(path)
    coco = _read(path, source, classes, dropped)
    names, notes = _renamed(coco.names, source)
    files = PictureFiles(os.path.dirname(path))
    images = list(with_sizes(coco.images, files, dropped))
    coco = replace(coco, images=tuple(with_frames(images, coco.boxes, files, path)))
    return write_detection(
        _samples(coco, source, dropped),
        names,
        output,
        label_map=label_map,
        inputs=[path],
        dropped=dropped,
        notes=notes,
    )


def default_output(path: str, ending: str) -> str:
    """Where records go that nobody named a place for: beside their source."""
    stem, extension = os.path.splitext(path)
    return (stem if extension.lower() == '.json' else path) + ending + '.json'


def _read(
    path: str, source: Source, classes: Sequence[str] | None, dropped: Dropped
) -> CocoFile:
    """The file with its classes in the order of their ids, or as asked for."""
    coco = read_coco(path, classes, dropped=dropped)
    if classes is not None:
        return coco
    names = source.names
    if names is None:
        names = coco.names
        if all(isinstance(category_id, int) for category_id in coco.category_ids):
            names = tuple(name for _, name in sorted(zip(coco.category_ids, names)))
    listed_names = set(names)
    unknown = [name for name in coco.names if name not in listed_names]
    if unknown:
        raise DatasetError(
            f'{path} has the category {unknown[0]!r}, which COCO does not; convert it '
            'with --dataset custom'
        )
    index = {name: label for label, name in enumerate(names)}
    labels = {i: index[coco.names[label]] for i, label in coco.labels.items()}
    return CocoFile(path, names, (), labels, coco.images, coco.boxes)


def _renamed(
    names: Sequence[str], source: Source
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names as they are written, and a note of what that changes."""
    renamed = source.renamed or {}
    changed = [f'{name} -> {renamed[name]}' for name in names if name in renamed]
    notes = (f'misspelt names put right: {", ".join(changed)}',) if changed else ()
    return tuple(renamed.get(name, name) for name in names), notes


def _samples(
    coco: CocoFile, source: Source, dropped: Dropped
) -> Iterator[DetectionSample]:
    for image in track(coco.images, len(coco.images), 'pictures'):
        if image['id'] in source.absent and 'obj' in image['file_name']:
            dropped.add('pictures that were never published', image['file_name'])
            continue
        where = f'image {image["id"]}'
        boxes, labels = [], []
        for annotation in coco.boxes[image['id']]:
            if annotation['iscrowd']:
                dropped.add('crowd boxes', where)
            elif annotation.get('ignore'):
                dropped.add('boxes to be ignored', where)
            else:
                boxes.append(corners(annotation['bbox']))
                labels.append(coco.labels[annotation['category_id']])
        yield DetectionSample.checked(
            file_name=source.file_name(image),
            width=image['width'],
            height=image['height'],
            boxes=boxes,
            labels=labels,
            dropped=dropped,
            where=where,
            image_id=image['id'],
        )
