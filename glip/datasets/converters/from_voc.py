"""PASCAL VOC's XML, one file per picture, to ODVG: ImageNet's boxes and others."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast
from xml.etree import ElementTree

from glip.datasets.converters.output import PathLike
from glip.datasets.converters.result import Result
from glip.datasets.converters.write import check_files, write_detection
from glip.datasets.picture_files import PictureFiles
from glip.datasets.picture_sizes import WITHOUT_SIZE
from glip.datasets.sample import Box, DetectionSample, Dropped
from glip.errors import DatasetError
from glip.images import EXTENSIONS
from glip.received import check_is_file
from glip.runtime.progress import track, track_lines
from glip.text.names import has_words

_XML_FOLDERS = ('Annotations', 'annotations', 'xml', 'labels')
_PICTURE_FOLDERS = ('JPEGImages', 'images', 'Images')
_ENCODING = re.compile(rb'\s*<\?xml[^>]*\bencoding=["\']([\w.-]+)')
_SIDES = ('xmin', 'ymin', 'xmax', 'ymax')


def voc_to_odvg(
    folder: PathLike,
    output: PathLike,
    *,
    images: PathLike | None = None,
    extension: str = '.jpg',
    class_names: PathLike | None = None,
    first_pixel: int = 1,
    label_map: PathLike | None = None,
) -> Result:
    """Write one detection record per XML file, also of subfolders.

    Files that are no XML, objects without name or box, and pictures of unknown size are
    left out and counted.

    Args:
        folder: The XML files. A picture lies below the folder of pictures as its XML
            does below this one, which is how ImageNet and VOC lay them out.
        output: Records to write.
        images: Folder of the pictures, which say their size where the XML does not.
            By default it is this folder, or ``JPEGImages`` or ``images`` beside one
            that is called ``Annotations``.
        extension: Of pictures whose XML does not name it in ``<filename>``.
        class_names: Lines of ``n01440764 tench, Tinca tinca``: what names in the XML
            stand for, of which the first is taken. By default they are class names.
        first_pixel: What the files call the first pixel of a picture: 1 in VOC, 0 in
            ImageNet. Boxes include their last pixel.
        label_map: Class names to write, by default beside the records.

    Raises:
        DatasetError: The files cannot be used, or the results not be written.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f'{folder} is no folder of XML files')
    inputs = [] if class_names is None else [class_names]
    check_files(inputs, [output])
    if os.fspath(output).endswith('.xml'):
        raise DatasetError(f'{output}: the records are JSON lines, name them .jsonl')
    files = sorted(folder.rglob('*.xml'))
    if not files:
        raise DatasetError(f'{folder} has no XML file, nor have its subfolders')
    known = None if class_names is None else _read_names(os.fspath(class_names))
    dropped = Dropped(os.fspath(folder))
    # All names must be known before the first line is written.
    names = dict.fromkeys(known.values() if known else _names_in(files))
    index = {name: label for label, name in enumerate(names)}

    pictures = PictureFiles(os.fspath(images or _folder_of_pictures(folder)))

    def samples() -> Iterator[DetectionSample]:
        for file in track(files, len(files), 'pictures'):
            content = _read(file)
            if content is None:
                dropped.add('files that are no XML', file.name)
                continue
            for reason in content.unusable:
                dropped.add(reason, file.name)
            below = PurePosixPath(file.relative_to(folder))
            picture = _picture(below, content.picture, extension, pictures)
            size = content.size
            if min(size) < 1:
                header = pictures.header(picture)
                if header is None:
                    dropped.add(WITHOUT_SIZE, file.name)
                    continue
                size = header.width, header.height
            yield _sample(
                file, content, picture, size, index, known, first_pixel, dropped
            )

    return write_detection(
        samples(),
        list(names),
        output,
        label_map=label_map,
        inputs=inputs,
        dropped=dropped,
    )


def _sample(
    file: Path,
    content: _Content,
    picture: str,
    size: tuple[float, float],
    index: Mapping[str, int],
    known: Mapping[str, str] | None,
    first_pixel: int,
    dropped: Dropped,
) -> DetectionSample:
    boxes, labels = [], []
    for name, (x1, y1, x2, y2) in content.things:
        if known is not None and name not in known:
            dropped.add('boxes of classes that are not listed', f'{file.name}: {name}')
            continue
        labels.append(index[known[name] if known else name])
        boxes.append(
            (
                x1 - first_pixel,
                y1 - first_pixel,
                x2 - first_pixel + 1,
                y2 - first_pixel + 1,
            )
        )
    return DetectionSample.checked(
        file_name=picture,
        width=size[0],
        height=size[1],
        boxes=boxes,
        labels=labels,
        dropped=dropped,
        where=file.name,
    )


@dataclass(frozen=True)
class _Content:
    """One file.

    Attributes:
        picture: The last part of what it calls its picture.
        size: Width and height as it says them; 0 where it does not.
        things: Name and corners of each thing, as the file says them.
        unusable: Why other things are none, each in the plural.
    """

    picture: str
    size: tuple[float, float]
    things: tuple[tuple[str, Box], ...]
    unusable: tuple[str, ...]


def _read(file: Path) -> _Content | None:
    """What a file says, None where it is no XML."""
    try:
        check_is_file(file)
        root = _parsed(file.read_bytes())
    except (ElementTree.ParseError, LookupError, ValueError):
        return None
    except OSError as error:
        raise DatasetError(f'{file} cannot be read: {error.strerror}') from error
    things, unusable = [], []
    for entry in root.iter('object'):
        name = (entry.findtext('name') or '').strip()
        box = tuple(_number(entry.findtext(f'bndbox/{side}')) for side in _SIDES)
        if not has_words(name):
            unusable.append('objects without a name')
        elif None in box:
            unusable.append('objects without a box')
        else:
            things.append((name, cast(Box, box)))
    width, height = (_number(root.findtext(f'size/{s}')) for s in ('width', 'height'))
    picture = (root.findtext('filename') or '').strip().replace('\\', '/')
    return _Content(
        PurePosixPath(picture).name,
        (width or 0, height or 0),
        tuple(things),
        tuple(unusable),
    )


def _parsed(data: bytes) -> ElementTree.Element:
    """The tree; the parser itself does not know encodings such as GBK."""
    declared = _ENCODING.match(data)
    try:
        return ElementTree.fromstring(data)
    except ValueError:
        if declared is None:
            raise
        return ElementTree.fromstring(data.decode(declared[1].decode()))


def _number(text: str | None) -> float | None:
    try:
        return float(text or '')
    except ValueError:
        return None


def _picture(
    below: PurePosixPath, named: str, extension: str, files: PictureFiles
) -> str:
    """The picture of an XML file: one that is there, or else what it should be called.

    Its name is that of the XML file with the ending that ``<filename>`` has.
    """
    ending = PurePosixPath(named).suffix
    if ending.lower() not in EXTENSIONS:
        ending = ''
    names = [below.with_suffix(ending or extension)]
    if ending:
        names += [below.with_name(named), below.with_suffix(extension)]
    names += [below.with_suffix(other) for other in sorted(EXTENSIONS)]
    present = (str(name) for name in names if os.path.exists(files.path_of(str(name))))
    return next(present, str(names[0]))


def _folder_of_pictures(folder: Path) -> Path:
    """Where the pictures of a folder of XML files usually lie."""
    if folder.name in _XML_FOLDERS:
        beside = (folder.parent / name for name in _PICTURE_FOLDERS)
        return next((path for path in beside if path.is_dir()), folder)
    return folder


def _names_in(files: list[Path]) -> list[str]:
    """All class names of the files, in alphabetic order."""
    names = set()
    for file in track(files, len(files), 'class names'):
        content = _read(file)
        names.update(name for name, _ in (content.things if content else ()))
    return sorted(names)


def _read_names(path: str) -> dict[str, str]:
    """Name in the XML -> class name."""
    names = {}
    for _, line in track_lines(path, 'class names'):
        short, _, words = line.strip().partition(' ')
        if words:
            names[short] = words.split(',')[0].strip()
    if not names:
        raise DatasetError(f'{path} has no line such as "n01440764 tench, Tinca tinca"')
    return names
