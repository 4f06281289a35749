"""Visual Genome's objects to ODVG detection records."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from glip.datasets.coco_file import is_id
from glip.datasets.converters.output import PathLike
from glip.datasets.converters.records import corners
from glip.datasets.converters.result import Result
from glip.datasets.converters.write import check_files, write_detection
from glip.datasets.sample import DetectionSample, Dropped
from glip.errors import DatasetError
from glip.runtime.progress import track
from glip.runtime.reading import read_json


def visual_genome_to_odvg(
    objects: PathLike,
    image_data: PathLike,
    output: PathLike,
    *,
    num_classes: int = 1600,
    exclude_coco: bool = False,
    flat: bool = False,
    label_map: PathLike | None = None,
) -> Result:
    """Write one record per picture, its boxes of the most frequent names.

    An object's name is the first that people gave it, in lower case. Names are free
    text with tens of thousands of different ones; those beyond the most frequent
    are mostly slips of the pen, and their boxes are left out.

    Args:
        objects: ``objects.json``.
        image_data: ``image_data.json``, with sizes and addresses.
        output: Records to write.
        num_classes: How many names become classes.
        exclude_coco: Leave out the pictures that COCO has as well.
        flat: Pictures lie in one folder (``1.jpg``, as GQA packs them) and not in
            ``VG_100K`` and ``VG_100K_2``.
        label_map: Class names to write, by default beside the records.

    Raises:
        DatasetError: A file cannot be used, or the results not be written.
    """
    if num_classes < 1:
        raise DatasetError(f'{num_classes} classes: at least one is needed')
    objects, image_data = os.fspath(objects), os.fspath(image_data)
    check_files([objects, image_data], [output])
    entries = _entries(objects, 'image_id', 'objects')
    pictures = {
        picture['image_id']: picture
        for picture in _entries(image_data, 'image_id', 'width', 'height', 'url')
    }
    dropped = Dropped(objects)
    counts: Counter[str] = Counter()
    for entry in entries:
        counts.update(filter(None, map(_name, _objects(entry))))
    # Equally frequent names in alphabetic order: the same classes on every run.
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    names = ranked[:num_classes]

    def samples() -> Iterator[DetectionSample]:
        index = {name: label for label, name in enumerate(names)}
        for entry in track(entries, len(entries), 'pictures'):
            picture = pictures.get(entry['image_id'])
            where = f'image {entry["image_id"]}'
            if picture is None:
                dropped.add('pictures of unknown size', where)
            elif exclude_coco and picture.get('coco_id'):
                dropped.add('pictures of COCO', where)
            else:
                yield _sample(_objects(entry), picture, index, flat, dropped, where)

    return write_detection(
        samples(),
        names,
        output,
        label_map=label_map,
        inputs=[objects, image_data],
        dropped=dropped,
    )


def _sample(
    objects: Sequence[Mapping[str, Any]],
    picture: Mapping[str, Any],
    index: Mapping[str, int],
    flat: bool,
    dropped: Dropped,
    where: str,
) -> DetectionSample:
    boxes, labels = [], []
    for thing in objects:
        label = index.get(_name(thing))
        if label is None:
            dropped.add('boxes of rare or missing names', where)
            continue
        try:
            box = corners([float(thing[key]) for key in 'xywh'])
        except (KeyError, TypeError, ValueError, OverflowError):
            dropped.add('objects without a box', where)
            continue
        boxes.append(box)
        labels.append(label)
    return DetectionSample.checked(
        file_name='/'.join(str(picture['url']).split('/')[-1 if flat else -2 :]),
        width=picture['width'],
        height=picture['height'],
        boxes=boxes,
        labels=labels,
        dropped=dropped,
        where=where,
        image_id=picture['image_id'],
    )


def _name(thing: Mapping[str, Any]) -> str:
    """What an object is called; '' where it is not."""
    names = thing.get('names')
    name = names[0] if isinstance(names, list) and names else thing.get('name')
    return ' '.join(name.lower().split()) if isinstance(name, str) else ''


def _objects(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The things of a picture."""
    things = entry['objects']
    if not isinstance(things, list):
        return []
    return [thing for thing in things if isinstance(thing, dict)]


def _entries(path: str, *keys: str) -> list[dict[str, Any]]:
    """A JSON file that is a list of mappings with these keys."""
    entries = read_json(path)
    if not isinstance(entries, list) or not entries:
        raise DatasetError(f'{path} holds no list of pictures')
    for number, entry in enumerate(entries):
        fitting = isinstance(entry, dict) and not set(keys) - entry.keys()
        if not fitting or not is_id(entry['image_id']):
            raise DatasetError(
                f'{path}: entry {number} needs {", ".join(keys)}; the files are '
                "objects.json and image_data.json of Visual Genome's download page"
            )
    return entries
