"""A COCO-format annotation file, checked once, as everyone downstream reads it."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmengine.logging import print_log

from glip.datasets.coco_boxes import area_of, is_crowd, usable_box
from glip.datasets.sample import Dropped
from glip.errors import DatasetError
from glip.runtime.reading import check_names, listed, read_json, warn
from glip.text.names import has_words

# What some files list as a category though it is none.
BACKGROUND = '__background__'


@dataclass(frozen=True)
class CocoFile:
    """What a data set and its metric both need of an annotation file.

    Attributes:
        path: Where it was read.
        names: Classes in the order labels index them.
        category_ids: Class -> the id that stands for it in results.
        labels: Category id -> class; ids of classes that are not asked for are absent.
        images: Records of the pictures, in the file's order.
        boxes: Picture id -> its annotations of the classes asked for. Each has a
            ``bbox`` of positive size (x, y, w, h in pixels), ``area``,
            ``iscrowd``, and ``category_id`` as in the file.
        left_out: Name of a category that was not asked for -> its annotations.
    """

    path: str
    names: tuple[str, ...]
    category_ids: tuple[int, ...]
    labels: Mapping[int, int]
    images: tuple[Mapping[str, Any], ...]
    boxes: Mapping[Any, tuple[Mapping[str, Any], ...]]
    left_out: Mapping[str, int] = field(default_factory=dict)


def read_coco(
    path: str | os.PathLike[str],
    classes: Sequence[str] | None = None,
    *,
    category_names: Sequence[str] | None = None,
    need_annotations: bool = True,
    backend_args: Mapping[str, Any] | None = None,
    dropped: Dropped | None = None,
) -> CocoFile:
    """Read and check an annotation file.

    Categories of the same name become one class. A category without annotation that
    only serves as the super-category of others, as Roboflow writes one, is no class,
    nor is one whose name has no word in it. Annotations of such, of pictures that the
    file does not list, and those without a box of positive size are left out and
    counted in one line of the log. The box may be that of ``segmentation``.

    Args:
        path: The file, local or of a backend of mmengine.
        classes: The classes wanted, in the order labels shall have; by default all
            in the order of the file.
        category_names: What the categories are called instead, in the order of their
            ids (the original's ``OVERRIDE_CATEGORY``). A file that has just these
            names already keeps them as they are.
        need_annotations: Whether a file without the list is an error; those of
            COCO's test sets have none.
        backend_args: Passed to mmengine's file backend.
        dropped: Counts the annotations left out, in place of the log.

    Raises:
        DatasetError: The file is missing, no JSON, not of this format, contradicts
            itself, or does not have a class asked for. Annotations of categories that
            it does not list are only left out where ``classes`` are given.
    """
    path = os.fspath(path)
    content = read_sections(path, backend_args)
    images = checked_images(content, path)
    annotations: list[dict[str, Any]] = []
    if need_annotations or 'annotations' in content:
        annotations = section(content, 'annotations', path)
    categories = _checked_categories(content, path)
    strangers = _of_unlisted_categories(annotations, categories)
    if strangers and classes is None:
        raise _unlisted_category(strangers, categories, path)
    if strangers:  # classes were asked for, and these are not among them
        ids = [annotation.get('id') for annotation in strangers]
        _leave_out(ids, 'are of categories that it does not list', path, dropped)
        left_out = set(map(id, strangers))
        annotations = [a for a in annotations if id(a) not in left_out]
    used = _without_empty_super_categories(content, categories, annotations, path)
    if category_names is not None:
        categories = _renamed(categories, used, category_names, path)
    used = _without_nameless(categories, used, annotations, path, dropped)
    names, category_ids, labels = _choose(categories, used, classes, path)
    others = Counter(
        categories[a['category_id']]
        for a in annotations
        if a['category_id'] not in labels and has_words(categories[a['category_id']])
    )
    boxes = _group(
        annotations, (image['id'] for image in images), labels, path, dropped
    )
    return CocoFile(path, names, category_ids, labels, images, boxes, others)


def read_sections(
    path: str, backend_args: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The top-level mapping of a file in COCO's layout.

    Raises:
        DatasetError: The file is missing, no JSON or something else.
    """
    content = read_json(path, backend_args)
    if not isinstance(content, dict):
        raise DatasetError(
            f'annotation file {path} holds a {type(content).__name__}, not the mapping '
            'with images, annotations and categories that COCO format has'
        )
    return content


def section(content: Mapping[str, Any], key: str, path: str) -> list[dict[str, Any]]:
    """One of the lists every file must have."""
    entries = content.get(key)
    if not isinstance(entries, list):
        raise DatasetError(
            f'annotation file {path} has no list "{key}"; COCO format needs images, '
            'annotations and categories'
        )
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            where = f'annotation file {path}: entry {number} of "{key}"'
            raise DatasetError(f'{where} is no mapping but {entry!r:.40}')
    return entries


def checked_images(
    content: Mapping[str, Any], path: str
) -> tuple[Mapping[str, Any], ...]:
    """Records of pictures that have a name and an id of their own.

    ``width`` and ``height`` are 0 where the file has no usable size, as CVAT and others
    write 0, -1, or none; :func:`glip.datasets.picture_sizes.with_sizes` asks the
    pictures then. LVIS gives addresses for names: version 1 has nothing else, and the
    names of 0.5 are those of older files.

    Raises:
        DatasetError: Something is missing, or an id is used twice.
    """
    images = section(content, 'images', path)
    for image in images:
        address = str(image.get('coco_url', ''))
        if address and 'file_name' not in image:
            image['file_name'] = '/'.join(address.split('/')[-2:])
        elif address and str(image['file_name']).startswith('COCO_'):
            image['file_name'] = address.rsplit('/', 1)[-1]
        missing = {'id', 'file_name'} - image.keys()
        if missing:
            raise DatasetError(
                f'annotation file {path}: image {image.get("id", image)} has no '
                f'{", ".join(sorted(missing))}'
            )
        if not is_id(image['id']) or not isinstance(image['file_name'], str):
            raise DatasetError(
                f'annotation file {path}: image {image["id"]!r:.40} is called '
                f'{image["file_name"]!r:.40}; ids must be numbers or strings, and '
                'names of files strings'
            )
        size = [_length(image.get(side)) for side in ('width', 'height')]
        image['width'], image['height'] = size if all(size) else (0, 0)
    repeated = [i for i, count in Counter(i['id'] for i in images).items() if count > 1]
    if repeated:
        raise DatasetError(
            f'annotation file {path}: image ids used more than once: {listed(repeated)}'
        )
    return tuple(images)


def _checked_categories(content: Mapping[str, Any], path: str) -> dict[int, str]:
    """Category id -> name, in the order of the file."""
    categories: dict[int, str] = {}
    for category in section(content, 'categories', path):
        name = category.get('name')
        name = '' if name is None else str(name)
        if not is_id(category.get('id')):
            raise DatasetError(
                f'annotation file {path}: category {category} needs an id and a name'
            )
        if category['id'] in categories:
            raise DatasetError(
                f'annotation file {path}: category id {category["id"]} is used for '
                f'{categories[category["id"]]!r} and {name!r}'
            )
        categories[category['id']] = name
    if not categories:
        raise DatasetError(f'annotation file {path} lists no categories')
    if not any(map(has_words, categories.values())):
        raise DatasetError(
            f'annotation file {path}: none of its {len(categories)} categories has a '
            'name; each needs an id and a name'
        )
    return categories


def _of_unlisted_categories(
    annotations: Iterable[dict[str, Any]], categories: Mapping[int, str]
) -> list[dict[str, Any]]:
    """Annotations whose category is not one of the file's."""
    return [
        a
        for a in annotations
        if not is_id(a.get('category_id')) or a['category_id'] not in categories
    ]


def _unlisted_category(
    strangers: Sequence[Mapping[str, Any]], categories: Mapping[int, str], path: str
) -> DatasetError:
    first = strangers[0]
    return DatasetError(
        f'annotation file {path}: annotation id {first.get("id")} has category_id '
        f'{first.get("category_id")!r}, which is not among the categories '
        f'{listed(categories)} ({len(strangers)} such annotations; with '
        'metainfo.classes they are left out)'
    )


def _without_empty_super_categories(
    content: Mapping[str, Any],
    categories: Mapping[int, str],
    annotations: Iterable[Mapping[str, Any]],
    path: str,
) -> list[int]:
    """Ids of the categories that are classes."""
    parents = {
        category.get('supercategory')
        for category in content['categories']
        if category.get('supercategory') != category.get('name')
    }
    filled = {annotation['category_id'] for annotation in annotations}
    empty = {i: name for i, name in categories.items() if i not in filled}
    dropped = [i for i, name in empty.items() if name in parents or name == BACKGROUND]
    if len(dropped) == len(categories):
        return list(categories)
    if dropped:
        print_log(
            f'{path}: left out {listed(categories[i] for i in dropped)}: a '
            'super-category, or the background, without annotations (to keep it, name '
            'it in metainfo.classes)',
            logger='current',
        )
    left_out = set(dropped)
    return [i for i in categories if i not in left_out]


def _without_nameless(
    categories: Mapping[int, str],
    used: Iterable[int],
    annotations: Iterable[Mapping[str, Any]],
    path: str,
    dropped: Dropped | None,
) -> list[int]:
    """Ids of the classes whose names a prompt can have."""
    nameless = {i for i in used if not has_words(categories[i])}
    if nameless:
        print_log(
            f'{path}: left out categories {listed(nameless)}, whose names have no word '
            'in them',
            logger='current',
        )
        ids = [a.get('id') for a in annotations if a['category_id'] in nameless]
        _leave_out(ids, 'are of categories without a name', path, dropped)
    return [i for i in used if i not in nameless]


def _renamed(
    categories: dict[int, str],
    used: Sequence[int],
    names: Sequence[str],
    path: str,
) -> dict[int, str]:
    """The categories that are classes under other names, by the order of their ids."""
    ids = sorted(used, key=lambda i: (isinstance(i, str), i))
    before = list(dict.fromkeys(categories[i] for i in ids))
    if sorted(before) == sorted(names):
        return dict(categories)
    if len(before) != len(names):
        raise DatasetError(
            f'annotation file {path} has {len(before)} categories {listed(before)}, '
            f'but category_names gives {len(names)} names {listed(names)}: one for '
            'each is needed, in the order of their ids'
        )
    new = dict(zip(before, map(str, names), strict=True))
    return categories | {i: new[categories[i]] for i in ids}


def _choose(
    categories: Mapping[int, str],
    used: Iterable[int],
    classes: Sequence[str] | None,
    path: str,
) -> tuple[tuple[str, ...], tuple[int, ...], dict[int, int]]:
    """Names, the id standing for each, and category id -> label."""
    if classes is None:
        names = tuple(dict.fromkeys(categories[i] for i in used))
    else:
        names = (classes,) if isinstance(classes, str) else tuple(map(str, classes))
        check_names(names, categories.values(), path)
    ids_of: dict[str, list[int]] = {name: [] for name in names}
    for category_id, name in categories.items():
        if name in ids_of:
            ids_of[name].append(category_id)
    labels = {i: label for label, name in enumerate(names) for i in ids_of[name]}
    return names, tuple(ids_of[name][0] for name in names), labels


def _group(
    annotations: Iterable[dict[str, Any]],
    image_ids: Iterable[Any],
    labels: Mapping[int, int],
    path: str,
    dropped: Dropped | None,
) -> dict[Any, tuple[Mapping[str, Any], ...]]:
    """Usable annotations by picture."""
    by_image: dict[Any, list[Mapping[str, Any]]] = {
        image_id: [] for image_id in image_ids
    }
    stray, strays, sizeless = [], [], []
    for annotation in annotations:
        if annotation['category_id'] not in labels:
            continue
        image_id = annotation.get('image_id')
        if not is_id(image_id) or image_id not in by_image:
            stray.append(annotation.get('id'))
            strays.append(image_id)
            continue
        box = usable_box(annotation)
        if box is None:
            sizeless.append(annotation.get('id'))
            continue
        # In place: a copy of each of 27 million is what some machines cannot hold.
        annotation['bbox'] = box
        annotation['iscrowd'] = int(is_crowd(annotation))
        annotation['area'] = area_of(annotation, box)
        by_image[annotation['image_id']].append(annotation)
    _leave_out(stray, 'belong to pictures that it does not list', path, dropped)
    _leave_out(sizeless, 'have no box of positive size', path, dropped)
    if (
        stray
        and not any(by_image.values())
        and set(map(str, strays)) & set(map(str, by_image))
    ):
        raise DatasetError(
            f'annotation file {path}: none of its annotations belongs to a picture it '
            f'lists: image ids are such as {next(iter(by_image))!r}, image_id of '
            f'annotation {stray[0]!r} is {strays[0]!r}'
        )
    return {image_id: tuple(boxes) for image_id, boxes in by_image.items()}


def _leave_out(
    ids: Sequence[Any], why: str, path: str, dropped: Dropped | None
) -> None:
    """Count annotations, or else name them in the log."""
    if dropped is not None:
        for annotation_id in ids:
            dropped.add(f'annotations that {why}', annotation_id)
    elif ids:
        warn(
            f'{path}: left out {len(ids)} annotations that {why} '
            f'(annotation ids {listed(ids)})'
        )


def is_id(value: object) -> bool:
    """Whether it can tell things apart."""
    number = isinstance(value, float) and math.isfinite(value)
    return number or isinstance(value, (int, str))


def _length(value: object) -> float:
    """A picture's width or height, also where it is written as text; else 0."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return 0
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 1 <= value < 2**31:
        return 0
    return int(value) if value == int(value) else value
