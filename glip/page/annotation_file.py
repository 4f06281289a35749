"""A COCO file that grows picture by picture, and loses nothing that was in it."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from glip.apis import Detections
from glip.datasets.coco_boxes import usable_box
from glip.datasets.coco_file import checked_images, read_coco, read_sections, section
from glip.errors import DatasetError
from glip.formats.coco import to_coco
from glip.formats.writers import as_json
from glip.runtime.writing import check_place, write_text

_SAME = 0.01  # pixels between a box as it was written and as it is read again
_SECTIONS = ('images', 'annotations', 'categories')
# An annotation as it stands in the file, and its (x, y, w, h).
_Box = tuple[Mapping[str, Any], list[float]]


class AnnotationFile:
    """Boxes of the pictures of a folder, in COCO's layout.

    The pictures that it lists are those that somebody accepted. What the file holds of
    other pictures, and what no box can say (crowds, outlines of boxes that stay), is
    written back as it was read.

    Args:
        path: The file; one that is missing begins empty.
        folder: Of the pictures. Names in the file are relative to the file's folder;
            of a file from elsewhere, to this one.

    Raises:
        DatasetError: It is no COCO file.
        ConfigError: It cannot be written.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self.folder = path, folder
        check_place(path)
        self._content: dict[str, Any] = {key: [] for key in _SECTIONS}
        if path.exists():
            self._content = _read(str(path))
        self._images = {
            file: image
            for image in self._content['images']
            if (file := self._file_of(str(image.get('file_name')))) is not None
        }
        self._written = self._state()

    @property
    def names(self) -> list[str]:
        """Names of the categories."""
        return list(self._names.values())

    @property
    def _names(self) -> dict[Any, str]:
        return {c['id']: str(c['name']) for c in self._content['categories']}

    def __contains__(self, picture: Path) -> bool:
        return picture.name in self._images

    def boxes_of(self, picture: Path, size: tuple[int, int]) -> Detections:
        """What the file says of a picture.

        Args:
            picture: One of the folder that the file lists.
            size: Its width and height in pixels.
        """
        names = self._names
        shown = self._shown(self._images[picture.name])
        boxes = np.array([box for _, box in shown], dtype=np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labelled = [names[annotation['category_id']] for annotation, _ in shown]
        classes = list(dict.fromkeys(labelled))
        return Detections(
            boxes=boxes,
            scores=[_score(annotation) for annotation, _ in shown],
            labels=[classes.index(name) for name in labelled],
            names=labelled,
            size=size,
            image=str(picture),
            source=str(picture),
        )

    def put(self, picture: Path, detections: Detections) -> None:
        """Write the boxes of a picture in place of those before.

        Args:
            picture: One of the folder.
            detections: Its boxes. Those that the file has already stay as they are,
                with all that it says of them.

        Raises:
            ConfigError: The file cannot be written.
            DatasetError: Another program changed it meanwhile.
        """
        if self._state() != self._written:
            raise DatasetError(
                f'{self.path}: another program changed it; start the page again to '
                'read it'
            )
        content = {**self._content, **{k: [*self._content[k]] for k in _SECTIONS}}
        new = to_coco([replace(detections, image=str(picture))])
        image = self._images.get(picture.name)
        before = [] if image is None else self._shown(image)
        if image is None:
            image = {**new['images'][0], 'file_name': self._name_of(picture)}
            image['id'] = _next_id(content['images'])
            content['images'].append(image)
        ids = _category_ids(content['categories'], detections.names)
        number = _next_id(content['annotations'])
        added = []
        for annotation, name in zip(new['annotations'], detections.names, strict=True):
            annotation |= {'image_id': image['id'], 'category_id': ids[name]}
            same = _same(before, annotation)
            if same is not None:
                before.pop(same)
                continue
            added.append({**annotation, 'id': number})
            number += 1
        dropped = {id(annotation) for annotation, _ in before}
        content['annotations'] = [
            a for a in content['annotations'] if id(a) not in dropped
        ] + added
        write_text(self.path, as_json(content))
        self._content, self._written = content, self._state()
        self._images[picture.name] = image

    def _shown(self, image: Mapping[str, Any]) -> list[_Box]:
        """Annotations of a picture that are a box of one thing."""
        names = self._names
        return [
            (annotation, box)
            for annotation in self._content['annotations']
            if annotation.get('image_id') == image['id']
            and annotation.get('category_id') in names
            and annotation.get('iscrowd') not in (1, '1')
            and (box := usable_box(annotation)) is not None
        ]

    def _state(self) -> tuple[int, int] | None:
        """What tells that another program wrote the file."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size

    def _name_of(self, picture: Path) -> str:
        """A picture's name in the file: from its folder on."""
        start = self.path.absolute().parent
        try:
            return Path(os.path.relpath(picture.absolute(), start)).as_posix()
        except ValueError:  # another drive
            return picture.absolute().as_posix()

    def _file_of(self, name: str) -> str | None:
        """Which picture of the folder a name in the file means, if any."""
        for start in (self.path.absolute().parent, self.folder.absolute()):
            path = Path(os.path.normpath(start / name))
            if path.parent == Path(os.path.normpath(self.folder.absolute())):
                return path.name
        return None


def _read(path: str) -> dict[str, Any]:
    """What a file holds, as it stands there."""
    content = read_sections(path)
    for key in _SECTIONS:
        section(content, key, path)
    if content['categories']:
        read_coco(path)  # says what is wrong with it
    elif content['annotations']:
        raise DatasetError(f'annotation file {path} has boxes, but no categories')
    else:
        checked_images(copy.deepcopy(content), path)
    return content


def _score(annotation: Mapping[str, Any]) -> float:
    """What a model gave; boxes of people have none and are certain."""
    score = annotation.get('score', 1.0)
    number = isinstance(score, (int, float)) and 0 <= score <= 1
    return float(score) if number else 1.0


def _next_id(records: Sequence[Mapping[str, Any]]) -> int:
    """A number above those in use."""
    ids = [r.get('id') for r in records]
    return int(max((i for i in ids if isinstance(i, (int, float))), default=0)) + 1


def _category_ids(
    categories: list[dict[str, Any]], names: Sequence[str]
) -> dict[str, Any]:
    """Ids by name; names that are new are added to ``categories``."""
    ids: dict[str, Any] = {}
    for category in categories:
        ids.setdefault(str(category['name']), category['id'])
    for name in names:
        if name not in ids:
            ids[name] = _next_id(categories)
            record = {'id': ids[name], 'name': name, 'supercategory': ''}
            categories.append(record)
    return ids


def _same(before: Sequence[_Box], annotation: Mapping[str, Any]) -> int | None:
    """Which of the annotations says the same already, if one does."""
    for index, (other, box) in enumerate(before):
        if other['category_id'] == annotation['category_id'] and np.allclose(
            box, annotation['bbox'], rtol=0, atol=_SAME
        ):
            return index
    return None
