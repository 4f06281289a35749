"""COCO-format detection data as prompts: every sample carries its classes as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from glip.datasets.base import PROBED, PromptedDataset
from glip.datasets.coco_file import CocoFile, read_coco
from glip.datasets.picture_sizes import with_frames, with_sizes
from glip.datasets.sample import DetectionSample
from glip.registry import DATASETS
from glip.runtime.reading import listed, warn


@DATASETS.register_module()
class CocoDataset(PromptedDataset):
    """Any COCO-format folder, with the class names as the prompt.

    COCO itself, Objects365, OpenImages, LVIS, Visual Genome, ImageNet's detection
    set and a user's own. Where mmdet's data set of this name silently pairs names and
    ids in different orders, skips what it does not know, or needs the class names
    repeated in the config, this one takes them from the file, keeps the order asked
    for, and says what is wrong. Masks are not kept.

    Args:
        *args: See :class:`glip.datasets.base.PromptedDataset`.
            ``metainfo['classes']`` defaults to the classes of the annotation file;
            ``metainfo['category_names']`` calls its categories otherwise, see
            :func:`glip.datasets.coco_file.read_coco`.
        **kwargs: As ``*args``.

    Attributes:
        cat_ids: Class -> its category id in the file.
        cat2label: Category id -> class.
    """

    def samples(self) -> Iterator[DetectionSample]:
        """One sample per picture of the file; see the base."""
        coco = read_coco(
            self.ann_file,
            self._metainfo.get('classes'),
            category_names=self._metainfo.get('category_names'),
            need_annotations=not self.test_mode,
            backend_args=self.backend_args,
            dropped=self.dropped,
        )
        if coco.left_out:
            warn(
                f'{self.ann_file}: {sum(coco.left_out.values())} boxes of '
                f'{listed(coco.left_out)} '
                f'{"are not evaluated" if self.test_mode else "do not train"}, as the '
                'classes asked for leave these out'
            )
        self.names = self._metainfo['classes'] = coco.names
        self.cat_ids = list(coco.category_ids)
        self.cat2label = dict(coco.labels)
        for image in self._sized(coco):
            boxes, labels, crowds = [], [], []
            for annotation in coco.boxes[image['id']]:
                if annotation.get('ignore', False):
                    self.dropped.add('boxes to be ignored', f'image {image["id"]}')
                    continue
                x, y, w, h = annotation['bbox']
                boxes.append((x, y, x + w, y + h))
                labels.append(coco.labels[annotation['category_id']])
                crowds.append(bool(annotation['iscrowd']))
            yield DetectionSample.checked(
                file_name=image['file_name'],
                width=image['width'],
                height=image['height'],
                boxes=boxes,
                labels=labels,
                ignored=crowds,
                dropped=self.dropped,
                where=f'image {image["id"]}',
                image_id=image['id'],
            )

    def _sized(self, coco: CocoFile) -> Sequence[Mapping[str, Any]]:
        """The pictures, with sizes of the frame that their boxes were drawn in."""
        images = self.chosen(coco.images)
        self.pictures.settle([image['file_name'] for image in images[:PROBED]])
        sized = list(with_sizes(images, self.pictures, self.dropped))
        return with_frames(sized, coco.boxes, self.pictures, self.ann_file)

    def chosen(
        self, images: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any]]:
        """Which pictures of the file are part of the data set: all."""
        return images
