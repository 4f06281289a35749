"""Files of a run over many pictures: one per picture, or one for all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from glip.errors import GLIPError
from glip.formats import coco, csv_table, cvat, label_studio, yolo
from glip.formats.xml_text import xml_safe
from glip.runtime.writing import make_folder, safe_name, write_picture, write_text

# What writes one text file per picture: its folder, its ending, and the text.
_PER_PICTURE: dict[str, tuple[str, str, Callable[[Any, Sequence[str]], str]]] = {
    'json': ('preds', '.json', lambda picture, classes: picture.to_json() + '\n'),
    'yolo': ('labels', '.txt', lambda picture, classes: yolo.to_yolo(picture, classes)),
    'voc': ('voc', '.xml', lambda picture, classes: picture.to_voc()),
}
# What is one file for all, or has one beside those of the pictures.
_FOR_THE_RUN = {'coco', 'csv', 'cvat', 'label-studio', 'yolo'}
_XML = {'voc', 'cvat', 'label-studio'}
FORMATS = ('json', 'coco', 'yolo', 'csv', 'voc', 'label-studio', 'cvat', 'crops')


def check_names(formats: Sequence[str], names: Sequence[str]) -> None:
    """Look before a long run whether its files can hold the names of the classes.

    Raises:
        GLIPError: One cannot.
    """
    for name in names:
        if 'yolo' in formats:
            yolo.check_name(name)
        for kind in _XML.intersection(formats):
            if xml_safe(name) != name:
                raise GLIPError(
                    f'{kind} cannot hold the name {name!r}: XML has no such characters'
                )
        if 'csv' in formats and '\0' in name:
            raise GLIPError(f'csv cannot hold the name {name!r}')


class ResultWriter:
    """Writes results in several formats; nothing of a picture is written twice.

    Formats that are one file for the run keep the boxes in memory, without pixels, and
    write them by :meth:`close`.

    Args:
        folder: Where to write.
        formats: Among ``FORMATS``.
        classes: Names by class index; if None, those that the pictures were asked for.

    Raises:
        GLIPError: There is no such format, or the folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        formats: Sequence[str],
        classes: Sequence[str] | None = None,
    ) -> None:
        unknown = [name for name in formats if name not in FORMATS]
        if unknown:
            raise GLIPError(
                f'no format {unknown[0]!r}: choose among {", ".join(FORMATS)}'
            )
        self.folder = folder
        self.formats = list(dict.fromkeys(formats))
        self.classes = None if classes is None else list(dict.fromkeys(classes))
        self._pictures: list[Any] = []
        if self.formats:
            make_folder(folder)

    def write(self, picture: Any, name: str) -> list[Path]:
        """Write what a picture has files of its own for.

        Args:
            picture: ``Detections``.
            name: Of its files, without ending.

        Returns:
            The files.

        Raises:
            GLIPError: One cannot be written.
        """
        files = []
        classes = picture.classes if self.classes is None else self.classes
        if not _FOR_THE_RUN.isdisjoint(self.formats):
            self._pictures.append(picture.without_pixels())
        for kind in self.formats:
            if kind in _PER_PICTURE:
                folder, ending, text_of = _PER_PICTURE[kind]
                path = self.folder / folder / f'{name}{ending}'
                write_text(path, text_of(picture, list(dict.fromkeys(classes))))
                files.append(path)
            elif kind == 'crops':
                files += self._write_crops(picture, name)
        return files

    def close(self) -> list[Path]:
        """Write what is one file for the run.

        Returns:
            The files.

        Raises:
            GLIPError: One cannot be written; the others are.
        """
        pictures = self._pictures
        classes = self.classes
        if classes is None:
            classes = coco.class_list(pictures)
        texts: dict[str, dict[str, Callable[[], str]]] = {
            'coco': {'coco.json': lambda: as_json(coco.to_coco(pictures, classes))},
            'csv': {'boxes.csv': lambda: csv_table.to_csv(pictures)},
            'cvat': {'cvat.xml': lambda: cvat.to_cvat(pictures, classes)},
            'label-studio': {
                'label_studio.json': lambda: as_json(
                    label_studio.to_label_studio(pictures)
                ),
                'label_studio.xml': lambda: label_studio.label_config(classes),
            },
            'yolo': {
                'data.yaml': lambda: yolo.data_yaml(
                    classes, {'train': 'images', 'val': 'images'}
                )
            },
        }
        files: list[Path] = []
        failed: GLIPError | None = None
        for kind in self.formats:
            for name, text_of in texts.get(kind, {}).items():
                try:
                    files.append(write_text(self.folder / name, text_of()))
                except GLIPError as error:
                    failed = failed or error
        if failed is not None:
            raise failed
        return files

    def _write_crops(self, picture: Any, name: str) -> list[Path]:
        """Cut boxes out, into a folder per class."""
        files = []
        for number, (crop, words) in enumerate(
            zip(picture.crops(), picture.names, strict=True)
        ):
            folder = make_folder(self.folder / 'crops' / safe_name(words))
            path = folder / f'{name}_{number:03d}.jpg'
            files.append(write_picture(path, crop, quality=95))
        return files


def as_json(value: Any) -> str:
    """One line of JSON, letters as they are."""
    return json.dumps(value, ensure_ascii=False) + '\n'
