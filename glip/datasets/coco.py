"""COCO-format detection data as prompts: every sample carries its classes as text."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.datasets import CocoDataset as _MMDetCocoDataset
from mmengine.logging import print_log

from glip.datasets.coco_file import CocoFile, read_coco
from glip.errors import DatasetError, ImageError
from glip.registry import DATASETS

_PROBED = 16  # pictures looked for before a wrong folder is reported


@DATASETS.register_module()
class CocoDataset(_MMDetCocoDataset):
    """Any COCO-format folder, with the class names as the prompt.

    Where mmdet's data set of this name silently pairs names and ids in different
    orders, skips what it does not know, or needs the class names repeated in the
    config, this one takes them from the file, keeps the order asked for, and says
    what is wrong. Masks are not kept.

    Args:
        *args: See ``mmdet.datasets.CocoDataset``: ``ann_file``, ``metainfo`` and so on.
            ``metainfo['classes']`` defaults to the classes of the annotation file.
        return_classes: Give each sample ``text`` (the class names),
            ``custom_entities`` and ``caption_prompt``.
        max_broken_images: How many unreadable pictures training skips, in each
            loading process, before it stops. In evaluation the first one stops it.
        **kwargs: As ``*args``.

    Raises:
        DatasetError: Annotations or pictures are missing, or contradict the config.
    """

    METAINFO: dict[str, Any] = {}

    def __init__(
        self,
        *args: Any,
        return_classes: bool = True,
        max_broken_images: int = 100,
        **kwargs: Any,
    ) -> None:
        self.max_broken_images = max_broken_images
        self._broken: list[str] = []
        super().__init__(*args, return_classes=return_classes, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the annotation file and look whether the pictures are there.

        Returns:
            One record per picture, as mmdet's pipeline expects it; boxes are clipped
            to the picture, (x1, y1, x2, y2) with exclusive ends.
        """
        coco = read_coco(
            self.ann_file,
            self._metainfo.get('classes'),
            need_annotations=not self.test_mode,
            backend_args=self.backend_args,
        )
        self._metainfo['classes'] = coco.names
        self.cat_ids = list(coco.category_ids)
        self.cat2label = dict(coco.labels)
        self._outside: list[Any] = []
        records = [self._record(coco, image) for image in coco.images]
        if self._outside:
            print_log(
                f'{coco.path}: left out {len(self._outside)} boxes that lie outside '
                f'their picture (annotation ids {self._outside[:8]})',
                logger='current',
                level=logging.WARNING,
            )
        self._check_folder([record['img_path'] for record in records[:_PROBED]])
        return records

    def filter_data(self) -> list[dict[str, Any]]:
        """Apply ``filter_cfg`` in training.

        Raises:
            DatasetError: Nothing is left to learn from, or there was nothing.
        """
        config = self.filter_cfg or {}
        kept = self.data_list
        if not self.test_mode:
            smallest = config.get('min_size', 0)
            kept = [d for d in kept if min(d['width'], d['height']) >= smallest]
            if config.get('filter_empty_gt', False):
                kept = [d for d in kept if d['instances']]
        if not kept:
            raise DatasetError(
                f'{self.ann_file}: none of its {len(self.data_list)} pictures can be '
                f'used (filter_cfg={config or None}, '
                f'classes={list(self._metainfo["classes"])})'
            )
        return kept

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on one picture.

        Returns:
            The packed sample, or None in training where the picture cannot be read,
            so that another one is drawn.

        Raises:
            ImageError: The picture cannot be read, in evaluation.
            DatasetError: Too many pictures cannot be read.
        """
        try:
            return super().prepare_data(idx)
        except ImageError as error:
            if self.test_mode:
                raise
            self._count_broken(str(error))
            return None

    def _record(self, coco: CocoFile, image: Mapping[str, Any]) -> dict[str, Any]:
        """One picture as mmdet's pipeline expects it."""
        width, height = image['width'], image['height']
        record: dict[str, Any] = {
            'img_path': os.path.join(self._folder, image['file_name']),
            'img_id': image['id'],
            'seg_map_path': None,
            'width': width,
            'height': height,
        }
        if self.return_classes:
            record['text'] = coco.names
            record['caption_prompt'] = self.caption_prompt
            record['custom_entities'] = True
        instances = []
        for annotation in coco.boxes[image['id']]:
            if annotation.get('ignore', False):
                continue
            box = _clipped(annotation['bbox'], width, height)
            if box is None:
                self._outside.append(annotation.get('id'))
                continue
            instances.append(
                {
                    'bbox': box,
                    'bbox_label': coco.labels[annotation['category_id']],
                    'ignore_flag': annotation['iscrowd'],
                }
            )
        record['instances'] = instances
        return record

    @property
    def _folder(self) -> str:
        """Where file names in the annotations start from."""
        return self.data_prefix.get('img', self.data_prefix.get('img_path', ''))

    def _check_folder(self, paths: Sequence[str]) -> None:
        """Tell a wrong folder from single missing pictures before training starts."""
        if self.backend_args or not paths or '://' in paths[0]:
            return
        if not any(os.path.exists(path) for path in paths):
            folder = os.path.abspath(self._folder or '.')
            what = 'has none of the first' if os.path.isdir(folder) else 'is not there:'
            raise DatasetError(
                f'picture folder {folder} {what} pictures of {self.ann_file} '
                f'(looked for {paths[0]}); it is data_root joined with '
                'data_prefix=dict(img=...), set both in the config'
            )

    def _count_broken(self, message: str) -> None:
        """Skip a picture, once too often an error."""
        if message not in self._broken:
            self._broken.append(message)
            print_log(
                f'picture skipped ({len(self._broken)} so far): {message}',
                logger='current',
                level=logging.WARNING,
            )
        if len(self._broken) > min(self.max_broken_images, len(self) - 1):
            raise DatasetError(
                f'{len(self._broken)} of the {len(self)} pictures of {self.ann_file} '
                f'cannot be read, the last one: {message} (max_broken_images='
                f'{self.max_broken_images})'
            )


def _clipped(box: Sequence[float], width: float, height: float) -> list[float] | None:
    """(x, y, w, h) to corners inside the picture; None for less than a pixel of it."""
    x, y, w, h = box
    x1, y1 = max(x, 0.0), max(y, 0.0)
    x2, y2 = min(x + w, float(width)), min(y + h, float(height))
    if x2 - x1 < 1 or y2 - y1 < 1:
        return None
    return [x1, y1, x2, y2]
