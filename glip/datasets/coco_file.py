"""A COCO-format annotation file, checked once, as everyone downstream reads it."""

from __future__ import annotations

import difflib
import json
import logging
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.fileio import get_local_path
from mmengine.logging import print_log

from glip.datasets.sample import Dropped
from glip.errors import DatasetError

_SHOWN = 8  # how many ids or names a message lists


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
            ``bbox`` of positive size (x, y, w, h as in the file), ``area``,
            ``iscrowd``, and ``category_id`` as in the file.
    """

    path: str
    names: tuple[str, ...]
    category_ids: tuple[int, ...]
    labels: Mapping[int, int]
    images: tuple[Mapping[str, Any], ...]
    boxes: Mapping[Any, tuple[Mapping[str, Any], ...]]


def read_coco(
    path: str | os.PathLike[str],
    classes: Sequence[str] | None = None,
    *,
    need_annotations: bool = True,
    backend_args: Mapping[str, Any] | None = None,
    dropped: Dropped | None = None,
) -> CocoFile:
    """Read and check an annotation file.

    Categories of the same name become one class. A category without annotation that
    only serves as the super-category of others, as Roboflow writes one, is no class.
    Boxes without size or with a negative one, and annotations of pictures that the
    file does not list, are left out and counted in one line of the log.

    Args:
        path: The file, local or of a backend of mmengine.
        classes: The classes wanted, in the order labels shall have; by default all
            in the order of the file.
        need_annotations: Whether a file without the list is an error; those of
            COCO's test sets have none.
        backend_args: Passed to mmengine's file backend.
        dropped: Counts the annotations left out, in place of the log.

    Raises:
        DatasetError: The file is missing, no JSON, not of this format, contradicts
            itself, or does not have a class asked for.
    """
    path = os.fspath(path)
    content = _read_json(path, backend_args)
    images = _checked_images(content, path)
    annotations: list[dict[str, Any]] = []
    if need_annotations or 'annotations' in content:
        annotations = _section(content, 'annotations', path)
    categories = _checked_categories(content, path)
    _check_category_ids(annotations, categories, path)
    used = _without_empty_super_categories(content, categories, annotations, path)
    names, category_ids, labels = _choose(categories, used, classes, path)
    boxes = _group(
        annotations, (image['id'] for image in images), labels, path, dropped
    )
    return CocoFile(path, names, category_ids, labels, images, boxes)


def _read_json(path: str, backend_args: Mapping[str, Any] | None) -> dict[str, Any]:
    """The top-level mapping of the file."""
    try:
        with get_local_path(path, backend_args=backend_args) as local_path:
            with open(local_path, encoding='utf-8') as file:
                content = json.load(file)
    except FileNotFoundError as error:
        raise DatasetError(
            f'annotation file not found: {os.path.abspath(path)} (it is data_root '
            'joined with ann_file; set both in the config)'
        ) from error
    except OSError as error:
        raise DatasetError(
            f'annotation file {path} cannot be read: {error.strerror or error}'
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DatasetError(
            f'annotation file {path} is not valid JSON ({error}): it may be cut off or '
            'of another format; export it again as COCO'
        ) from error
    if not isinstance(content, dict):
        raise DatasetError(
            f'annotation file {path} holds a {type(content).__name__}, not the mapping '
            'with images, annotations and categories that COCO format has'
        )
    return content


def _section(content: Mapping[str, Any], key: str, path: str) -> list[dict[str, Any]]:
    """One of the lists every file must have."""
    entries = content.get(key)
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise DatasetError(
            f'annotation file {path} has no list "{key}"; COCO format needs images, '
            'annotations and categories'
        )
    return entries


def _checked_images(
    content: Mapping[str, Any], path: str
) -> tuple[Mapping[str, Any], ...]:
    """Records of pictures that have a name, a size and an id of their own."""
    images = _section(content, 'images', path)
    for image in images:
        missing = {'id', 'file_name', 'width', 'height'} - image.keys()
        if missing:
            raise DatasetError(
                f'annotation file {path}: image {image.get("id", image)} has no '
                f'{", ".join(sorted(missing))}'
            )
        if not all(_is_length(image[side]) for side in ('width', 'height')):
            raise DatasetError(
                f'annotation file {path}: image {image["id"]} has the size '
                f'{image["width"]}x{image["height"]}'
            )
    repeated = [i for i, count in Counter(i['id'] for i in images).items() if count > 1]
    if repeated:
        raise DatasetError(
            f'annotation file {path}: image ids used more than once: '
            f'{_listed(repeated)}'
        )
    return tuple(images)


def _checked_categories(content: Mapping[str, Any], path: str) -> dict[int, str]:
    """Category id -> name, in the order of the file."""
    categories: dict[int, str] = {}
    for category in _section(content, 'categories', path):
        if 'id' not in category or 'name' not in category:
            raise DatasetError(
                f'annotation file {path}: category {category} needs an id and a name'
            )
        if category['id'] in categories:
            raise DatasetError(
                f'annotation file {path}: category id {category["id"]} is used for '
                f'{categories[category["id"]]!r} and {category["name"]!r}'
            )
        categories[category['id']] = str(category['name'])
    if not categories:
        raise DatasetError(f'annotation file {path} lists no categories')
    return categories


def _check_category_ids(
    annotations: Iterable[Mapping[str, Any]], categories: Mapping[int, str], path: str
) -> None:
    """Every annotation must be of a category that the file lists."""
    unknown = [a for a in annotations if a.get('category_id') not in categories]
    if unknown:
        first = unknown[0]
        raise DatasetError(
            f'annotation file {path}: annotation id {first.get("id")} has category_id '
            f'{first.get("category_id")}, which is not among the categories '
            f'{_listed(categories)} ({len(unknown)} such annotations)'
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
        if category.get('supercategory') != category['name']
    }
    filled = {annotation['category_id'] for annotation in annotations}
    empty = {i: name for i, name in categories.items() if i not in filled}
    dropped = [i for i, name in empty.items() if name in parents]
    if dropped:
        print_log(
            f'{path}: left out {_listed(categories[i] for i in dropped)}: a '
            'super-category without annotations (to keep it, name it in '
            'metainfo.classes)',
            logger='current',
        )
    return [i for i in categories if i not in dropped]


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
        _check_names(names, categories, path)
    ids_of: dict[str, list[int]] = {name: [] for name in names}
    for category_id, name in categories.items():
        if name in ids_of:
            ids_of[name].append(category_id)
    labels = {i: label for label, name in enumerate(names) for i in ids_of[name]}
    return names, tuple(ids_of[name][0] for name in names), labels


def _check_names(
    names: Sequence[str], categories: Mapping[int, str], path: str
) -> None:
    """The classes asked for must be there, each once."""
    known = list(dict.fromkeys(categories.values()))
    missing = [name for name in names if name not in known]
    if missing:
        close = difflib.get_close_matches(missing[0], known, n=1)
        hint = f'; did you mean {close[0]!r}?' if close else ''
        raise DatasetError(
            f'classes {_listed(missing)} are not in annotation file {path}, which has '
            f'{_listed(known)}{hint} (metainfo.classes given: {_listed(names)})'
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated or not names:
        what = f'names {_listed(repeated)} twice' if repeated else 'is empty'
        raise DatasetError(f'metainfo.classes {what}; give each class once')


def _group(
    annotations: Iterable[Mapping[str, Any]],
    image_ids: Iterable[Any],
    labels: Mapping[int, int],
    path: str,
    dropped: Dropped | None,
) -> dict[Any, tuple[Mapping[str, Any], ...]]:
    """Usable annotations by picture."""
    found: dict[Any, list[Mapping[str, Any]]] = {image_id: [] for image_id in image_ids}
    stray, sizeless = [], []
    for annotation in annotations:
        if annotation['category_id'] not in labels:
            continue
        if annotation.get('image_id') not in found:
            stray.append(annotation.get('id'))
            continue
        box = _box(annotation.get('bbox'))
        if box is None:
            sizeless.append(annotation.get('id'))
            continue
        whole = dict(annotation, bbox=box, iscrowd=int(annotation.get('iscrowd') or 0))
        whole['area'] = annotation.get('area') or box[2] * box[3]
        found[annotation['image_id']].append(whole)
    for ids, why in (
        (stray, 'belong to pictures that it does not list'),
        (sizeless, 'have no box of positive size'),
    ):
        if dropped is not None:
            for annotation_id in ids:
                dropped.add(f'annotations that {why}', annotation_id)
        elif ids:
            print_log(
                f'{path}: left out {len(ids)} annotations that {why} '
                f'(annotation ids {_listed(ids)})',
                logger='current',
                level=logging.WARNING,
            )
    return {image_id: tuple(boxes) for image_id, boxes in found.items()}


def _box(value: object) -> list[float] | None:
    """(x, y, w, h) of positive size, or None."""
    try:
        x, y, w, h = (float(v) for v in value)  # type: ignore[union-attr]
    except (TypeError, ValueError):
        return None
    if not all(map(math.isfinite, (x, y, w, h))) or w <= 0 or h <= 0:
        return None
    return [x, y, w, h]


def _is_length(value: object) -> bool:
    """Whether it can be a picture's width or height."""
    return isinstance(value, (int, float)) and 0 < value < math.inf


def _listed(values: Iterable[Any]) -> str:
    """The first few, and how many more."""
    values = list(values)
    shown = ', '.join(map(str, values[:_SHOWN]))
    more = f' and {len(values) - _SHOWN} more' if len(values) > _SHOWN else ''
    return f'[{shown}{more}]'
