"""Labelled pictures as a data set to train on, or to correct by hand."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from glip.apis.detections import Detections
from glip.errors import ImageError, one_line
from glip.formats import coco, cvat, label_studio, voc, yolo
from glip.formats.writers import as_json
from glip.images import load_image
from glip.report.page import PageWriter, fitted
from glip.runtime.writing import make_folder, write_text, writing_to
from glip.visualization.scene import Scene

LAYOUTS = ('coco', 'yolo', 'voc', 'label-studio', 'cvat')

Entry = tuple[str, Detections]


def write_data_set(
    out: Path,
    layout: str,
    entries: Sequence[Entry],
    classes: Sequence[str],
    *,
    val_share: float,
    seed: int,
) -> list[Path]:
    """Copy the pictures and write their boxes.

    Args:
        out: Folder of the data set.
        layout: One of ``LAYOUTS``. COCO's is ``train/`` and ``valid/``, each with
            ``annotations.json`` beside the pictures; YOLO's is Ultralytics'; VOC's has
            ``ImageSets/Main``. Label Studio and CVAT get all pictures in ``images/``.
        entries: Name of the file, and boxes, of each picture.
        classes: All names, by index.
        val_share: Share of the pictures for validation, at least one unless 0.
        seed: Of the split, which does not depend on the order.

    Returns:
        The files of annotations.

    Raises:
        GLIPError: One cannot be written.
    """
    splits = split_entries(entries, val_share, seed)
    if layout == 'coco':
        return _write_coco(out, splits, classes)
    if layout == 'yolo':
        return _write_yolo(out, splits, classes)
    if layout == 'voc':
        return _write_voc(out, splits)
    _copy(out / 'images', entries)
    moved = [_named(entry) for entry in entries]
    if layout == 'cvat':
        write_text(out / 'cvat.xml', cvat.to_cvat(moved, classes))
        return [out / 'cvat.xml']
    tasks = label_studio.to_label_studio(moved)
    write_text(out / 'label_studio.json', as_json(tasks))
    write_text(out / 'label_studio.xml', label_studio.label_config(classes))
    return [out / 'label_studio.json', out / 'label_studio.xml']


def split_entries(
    entries: Sequence[Entry], val_share: float, seed: int
) -> dict[str, list[Entry]]:
    """Divide pictures at random into ``train`` and ``valid``."""
    shuffled = sorted(entries, key=lambda entry: entry[0])
    random.Random(seed).shuffle(shuffled)
    count = round(len(shuffled) * val_share)
    if val_share > 0 and len(shuffled) > 1:
        count = min(max(count, 1), len(shuffled) - 1)
    splits = {'train': shuffled[count:], 'valid': shuffled[:count]}
    return {name: sorted(part, key=lambda e: e[0]) for name, part in splits.items()}


def _write_coco(
    out: Path, splits: dict[str, list[Entry]], classes: Sequence[str]
) -> list[Path]:
    files = []
    for split, entries in splits.items():
        if not entries:
            continue
        _copy(out / split, entries)
        annotations = coco.to_coco([_named(entry) for entry in entries], classes)
        files.append(out / split / 'annotations.json')
        write_text(files[-1], as_json(annotations))
    return files


def _write_yolo(
    out: Path, splits: dict[str, list[Entry]], classes: Sequence[str]
) -> list[Path]:
    names = {'train': 'train', 'valid': 'val'}
    folders = {}
    for split, entries in splits.items():
        name = names[split]
        if not entries:
            # Ultralytics insists on both.
            folders[name] = 'images/train'
            continue
        folders[name] = f'images/{name}'
        _copy(out / 'images' / name, entries)
        for file, detections in entries:
            path = out / 'labels' / name / Path(file).with_suffix('.txt')
            write_text(path, yolo.to_yolo(detections, classes))
    write_text(out / 'data.yaml', yolo.data_yaml(classes, folders))
    return [out / 'data.yaml']


def _write_voc(out: Path, splits: dict[str, list[Entry]]) -> list[Path]:
    files = []
    for split, entries in splits.items():
        _copy(out / 'JPEGImages', entries)
        for entry in entries:
            path = out / 'Annotations' / Path(entry[0]).with_suffix('.xml')
            write_text(path, voc.to_voc(_named(entry)))
        listed = ''.join(f'{Path(file).stem}\n' for file, _ in entries)
        name = {'valid': 'val'}.get(split, split)
        files.append(out / 'ImageSets' / 'Main' / f'{name}.txt')
        write_text(files[-1], listed)
    return files


def _named(entry: Entry) -> Detections:
    """The boxes under the name that the picture has in the data set."""
    return replace(entry[1], image=entry[0])


def _copy(folder: Path, entries: Sequence[Entry]) -> None:
    """Copy pictures that are not there yet."""
    make_folder(folder)
    with writing_to(folder):
        for file, detections in entries:
            source, target = Path(detections.image or ''), folder / file
            if target.exists() and target.stat().st_size == source.stat().st_size:
                continue
            shutil.copy2(source, target)


def write_review(out: Path, entries: Sequence[Entry]) -> Path:
    """Write pages with all pictures and boxes, to look through.

    Returns:
        The first page.
    """
    page = PageWriter(out / 'review', f'Boxes of {out.name}')
    for number, (file, detections) in enumerate(entries, 1):
        title = f'{file} ({number})'
        try:
            image, factor = fitted(load_image(str(detections.image))[..., ::-1])
        except ImageError as error:
            page.add(title, (), [one_line(error)])
            continue
        page.add(title, [('boxes', _scene(image, detections, factor))])
    boxes = sum(len(detections) for _, detections in entries)
    return page.finish([('pictures', str(len(entries))), ('boxes', str(boxes))])


def _scene(image: np.ndarray, detections: Detections, factor: float) -> Scene:
    names = tuple(dict.fromkeys(detections.names))
    caption, phrases = '', []
    for name in names:
        caption += ', ' if caption else ''
        phrases.append(((len(caption), len(caption) + len(name)),))
        caption += name
    return Scene(
        image=image,
        caption=caption,
        phrases=tuple(phrases),
        names=names,
        boxes=detections.boxes.astype(np.float64) * factor,
        labels=np.array([names.index(n) for n in detections.names], dtype=np.int64),
        ignored=np.zeros(len(detections), dtype=bool),
        scores=detections.scores,
    )
