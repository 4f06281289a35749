"""PASCAL VOC's XML, one file per picture, to ODVG: ImageNet's boxes and others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from glip.datasets.converters.output import PathLike
from glip.datasets.converters.result import Result
from glip.datasets.converters.write import check_files, write_detection
from glip.datasets.sample import Box, DetectionSample, Dropped
from glip.errors import DatasetError
from glip.received import check_is_file
from glip.runtime.progress import track, track_lines

_SIDES = ('xmin', 'ymin', 'xmax', 'ymax')


def voc_to_odvg(
    folder: PathLike,
    output: PathLike,
    *,
    extension: str = '.jpg',
    class_names: PathLike | None = None,
    first_pixel: int = 1,
    label_map: PathLike | None = None,
) -> Result:
    """Write one detection record per XML file, also of subfolders.

    Args:
        folder: The XML files. A picture lies below the folder of pictures as its XML
            does below this one, which is how ImageNet and VOC lay them out.
        output: Records to write.
        extension: Of the pictures.
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

    def samples() -> Iterator[DetectionSample]:
        for file in track(files, len(files), 'pictures'):
            picture = PurePosixPath(file.relative_to(folder)).with_suffix(extension)
            yield _sample(file, str(picture), index, known, first_pixel, dropped)

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
    picture: str,
    index: Mapping[str, int],
    known: Mapping[str, str] | None,
    first_pixel: int,
    dropped: Dropped,
) -> DetectionSample:
    width, height, things = _read(file)
    boxes, labels = [], []
    for name, (x1, y1, x2, y2) in things:
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
        width=width,
        height=height,
        boxes=boxes,
        labels=labels,
        dropped=dropped,
        where=file.name,
    )


def _read(file: Path) -> tuple[int, int, list[tuple[str, Box]]]:
    """Width, height, and name and corners of each thing, as the file says them."""
    try:
        check_is_file(file)
        root = ElementTree.parse(file).getroot()
        width, height = (
            int(root.findtext(f'size/{s}', '')) for s in ('width', 'height')
        )
        things = []
        for entry in root.iter('object'):
            x1, y1, x2, y2 = (float(entry.findtext(f'bndbox/{s}', '')) for s in _SIDES)
            things.append((entry.findtext('name', '').strip(), (x1, y1, x2, y2)))
    except (ElementTree.ParseError, ValueError) as error:
        raise DatasetError(
            f'{file} is no file of boxes as VOC has ({error})'
        ) from error
    except OSError as error:
        raise DatasetError(f'{file} cannot be read: {error.strerror}') from error
    return width, height, things


def _names_in(files: list[Path]) -> list[str]:
    """All class names of the files, in alphabetic order."""
    names = set()
    for file in track(files, len(files), 'class names'):
        names.update(name for name, _ in _read(file)[2])
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
