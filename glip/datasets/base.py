"""What all data sets of pictures with boxes and words share, whatever their files."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from mmdet.datasets import BaseDetDataset
from mmengine.logging import print_log

from glip.datasets.broken_pictures import BrokenPictures, blank_picture
from glip.datasets.captions import Captions
from glip.datasets.picture_files import PictureFiles
from glip.datasets.sample import (
    DetectionSample,
    Dropped,
    GroundingSample,
    Sample,
)
from glip.datasets.sample_bytes import from_bytes, to_bytes
from glip.errors import DatasetError, ImageError
from glip.received import path_below
from glip.runtime.reading import listed, warn

PROBED = 16  # pictures looked for before a wrong folder is reported


class PromptedDataset(BaseDetDataset):
    """Pictures with boxes of classes, or of phrases in a sentence.

    A subclass yields samples. This class keeps them packed (one block of bytes that
    loading processes share, filled while the file is read), and turns one of them at
    a time into the record that the pipeline works on. Names of classes are one
    object of the data set; no record holds a copy.

    Args:
        *args: See ``mmengine.dataset.BaseDataset``.
        return_classes: Give samples of classes ``text`` (all the names),
            ``custom_entities`` and ``caption_prompt``.
        max_broken_images: How many different pictures training may fail to read and
            skip, in all loading processes together, before it stops. In evaluation
            the first one stops it.
        weigh_by_score: In training a box counts as much as its maker was sure of it,
            from 0 to 1; boxes without a score count in full.
        **kwargs: As ``*args``. Of ``filter_cfg``, ``min_size`` (the shorter side in
            pixels) and ``filter_empty_gt`` (pictures without boxes) have effect, in
            training.

    Attributes:
        names: Classes, which labels of detection samples index.
        dropped: What of the annotations could not be used, and why.
        broken: Pictures that could not be read so far.
        blank_for_broken: In evaluation, show a blank picture in the place of one that
            cannot be read, so that all in it counts as missed; a validation sets it,
            which shall not end the training around it.

    Raises:
        DatasetError: Annotations or pictures are missing, or contradict the config.
    """

    METAINFO: dict[str, Any] = {}
    blank_for_broken = False

    def __init__(
        self,
        *args: Any,
        return_classes: bool = True,
        max_broken_images: int = 100,
        weigh_by_score: bool = False,
        **kwargs: Any,
    ) -> None:
        self.weigh_by_score = weigh_by_score
        self.names: tuple[str, ...] = ()
        self.max_broken_images = max_broken_images
        super().__init__(*args, return_classes=return_classes, **kwargs)

    @abstractmethod
    def samples(self) -> Iterator[Sample]:
        """Read the annotations; ``self.dropped`` counts what cannot be used.

        Raises:
            DatasetError: They are missing or of another format.
        """

    def full_init(self) -> None:
        """Read the annotations, keep what can be used, and look for the pictures.

        Raises:
            DatasetError: See the class; also where nothing can be used.
        """
        if self._fully_initialized:
            return
        self.dropped = Dropped(self._source)
        self.broken = BrokenPictures(self._source, self.max_broken_images)
        packed, ends = bytearray(), []
        first: list[str] = []
        total = boxes = crowds = 0
        enough = self._indices if isinstance(self._indices, int) else -1
        for sample in self.samples():
            total += 1
            if len(first) < PROBED:
                first.append(sample.file_name)
            if not self.is_wanted(sample):
                continue
            of_sample, crowds_of_sample = _counts(sample)
            boxes, crowds = boxes + of_sample, crowds + crowds_of_sample
            if self.serialize_data:
                packed += to_bytes(sample)
                ends.append(len(packed))
            else:
                self.data_list.append(sample)
            if max(len(ends), len(self.data_list)) == enough:
                break
        if self.dropped:
            warn(self.dropped.summary())
        if not ends and not self.data_list:
            raise DatasetError(
                f'{self._source}: none of its {total} pictures can be used '
                f'({self._reasons()})'
            )
        self._check_folder(first)
        self._check_boxes(boxes, crowds)
        if self.serialize_data:
            self.data_bytes = np.frombuffer(packed, dtype=np.uint8)
            self.data_address = np.asarray(ends, dtype=np.int64)
        self._fully_initialized = True
        if self._indices is not None and enough < 0:
            self.get_subset_(self._indices)

    def get_sample(self, idx: int) -> Sample:
        """The annotation of one picture.

        Raises:
            IndexError: There is none of that number.
        """
        idx = range(len(self))[idx]
        if not self.serialize_data:
            return self.data_list[idx]
        begin = int(self.data_address[idx - 1]) if idx else 0
        end = int(self.data_address[idx])
        return from_bytes(memoryview(self.data_bytes[begin:end]))

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The record of one picture as the pipeline works on it.

        Returns:
            ``img_path``, ``img_id``, ``width``, ``height``, ``sample_idx``,
            ``instances`` (``bbox`` corners with exclusive ends, ``bbox_label``,
            ``ignore_flag``), ``dataset_mode``, and the prompt: with ``'OD'``, labels
            index ``text``, the names of all classes, beside which go
            ``custom_entities`` and ``caption_prompt``; with ``'VG'``, they index
            ``tokens_positive``, entity -> its (begin, end) in ``text``, the caption,
            beside which goes ``captions``, those of all pictures. In evaluation also
            ``phrase_types``, entity -> its types, and ``dataset_name``, where the
            annotations have them.
        """
        idx = range(len(self))[idx]
        sample = self.get_sample(idx)
        record = self.record_of(sample, idx)
        if isinstance(sample, GroundingSample):
            record['captions'] = Captions(self)
        return record

    def record_of(self, sample: Sample, number: int) -> dict[str, Any]:
        """The record of a sample; see :meth:`get_data_info`, without ``captions``."""
        record: dict[str, Any] = {
            'img_path': self.pictures.path_of(sample.file_name),
            'img_id': number if sample.image_id is None else sample.image_id,
            'width': sample.width,
            'height': sample.height,
            'sample_idx': number,
        }
        if isinstance(sample, DetectionSample):
            self._add_classes(record, sample)
        else:
            self._add_caption(record, sample)
        return record

    @property
    def image_ids(self) -> list[Any]:
        """Of every picture the ``img_id`` its record has."""
        ids = (self.get_sample(number).image_id for number in range(len(self)))
        return [number if i is None else i for number, i in enumerate(ids)]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Labels of the boxes of one picture."""
        sample = self.get_sample(idx)
        if isinstance(sample, DetectionSample):
            return list(sample.labels)
        return [i for i, phrase in enumerate(sample.phrases) for _ in phrase.boxes]

    def __getitem__(self, idx: int) -> Any:
        """A packed sample; in training another one where this one is not usable.

        Raises:
            DatasetError: None of many samples drawn at random is usable.
        """
        if not self._fully_initialized:
            self.full_init()
        if self.test_mode:
            return super().__getitem__(idx)
        for _ in range(self.max_refetch + 1):
            data = self.prepare_data(idx)
            if data is not None:
                return data
            idx = self._rand_another()
        broken = self.broken.messages()
        raise DatasetError(
            f'{self.ann_file}: none of {self.max_refetch + 1} samples drawn at random '
            'can be trained on: '
            + (broken[-1] if broken else 'its pipeline leaves nothing of them')
        )

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on one picture.

        Returns:
            The packed sample, or None in training where the picture cannot be read,
            so that another one is drawn.

        Raises:
            ImageError: The picture cannot be read, in evaluation, unless
                ``blank_for_broken``.
            DatasetError: Too many pictures cannot be read.
        """
        try:
            return super().prepare_data(idx)
        except ImageError as error:
            if not self.test_mode:
                self.broken.add(str(error), len(self))
                return None
            if not self.blank_for_broken:
                raise
            self.broken.note(str(error))
        record = self.get_data_info(idx)
        size = (int(record['width']), int(record['height']))
        record['img_bytes'] = blank_picture(size)
        return self.pipeline(record)

    def _add_classes(self, record: dict[str, Any], sample: DetectionSample) -> None:
        """Prompt and boxes of a detection sample."""
        record['dataset_mode'] = 'OD'
        if self.return_classes:
            record['text'] = self.names
            record['custom_entities'] = True
            record['caption_prompt'] = self.caption_prompt
        ignored = sample.ignored or (False,) * len(sample.boxes)
        record['instances'] = [
            {'bbox': list(box), 'bbox_label': label, 'ignore_flag': int(ignore)}
            for box, label, ignore in zip(
                sample.boxes, sample.labels, ignored, strict=True
            )
        ]
        self._weigh(record, sample.scores)

    def _add_caption(self, record: dict[str, Any], sample: GroundingSample) -> None:
        """Prompt and boxes of a grounding sample."""
        record['dataset_mode'] = 'VG'
        record['text'] = sample.caption
        record['tokens_positive'] = tuple(p.spans for p in sample.phrases)
        if not sample.phrases:
            # A prompt needs an entity; without boxes all its words are negatives.
            record['tokens_positive'] = ((_whole(sample.caption),),)
        if self.test_mode and any(p.types for p in sample.phrases):
            record['phrase_types'] = tuple(p.types for p in sample.phrases)
        if self.test_mode and sample.dataset_name:
            record['dataset_name'] = sample.dataset_name
        record['instances'] = [
            {'bbox': list(box), 'bbox_label': entity, 'ignore_flag': 0}
            for entity, phrase in enumerate(sample.phrases)
            for box in phrase.boxes
        ]
        if any(phrase.scores for phrase in sample.phrases):
            scores = [p.scores or (1.0,) * len(p.boxes) for p in sample.phrases]
            self._weigh(record, tuple(chain.from_iterable(scores)))

    def _weigh(self, record: dict[str, Any], scores: Sequence[float]) -> None:
        """Give each instance the weight that its score is."""
        if self.weigh_by_score and not self.test_mode and scores:
            for instance, score in zip(record['instances'], scores, strict=True):
                instance['weight'] = min(max(score, 0.0), 1.0)

    def is_wanted(self, sample: Sample) -> bool:
        """Whether it has words and, in training, passes ``filter_cfg``."""
        if isinstance(sample, GroundingSample) and not sample.caption.strip():
            self.dropped.add('captions without words', sample.file_name)
            return False
        if self.test_mode or not self.filter_cfg:
            return True
        smallest = self.filter_cfg.get('min_size', 0)
        if min(sample.width, sample.height) < smallest:
            self.dropped.add(f'pictures below {smallest} pixels', sample.file_name)
            return False
        if self.filter_cfg.get('filter_empty_gt', False) and not _has_boxes(sample):
            self.dropped.add('pictures without boxes', sample.file_name)
            return False
        return True

    def _check_boxes(self, boxes: int, crowds: int) -> None:
        """Say how many boxes nothing is learned from.

        Raises:
            DatasetError: All that there are, in training.
        """
        whole = f'{self._source}: {crowds} of {boxes} boxes are crowds (iscrowd)'
        if self.test_mode:
            if crowds and crowds == boxes:
                warn(f'{whole}: there is nothing to evaluate, AP will be -1')
            return
        if crowds < boxes:
            if crowds:
                print_log(f'{whole} and do not train', 'current')
        elif crowds:
            raise DatasetError(
                f'{whole}, which do not train, so there is nothing to learn; set '
                'iscrowd to 0 in the file (CVAT and pycococreator write 1 for masks)'
            )
        elif self.names and self.dropped.counts:
            raise DatasetError(
                f'{self._source}: no box is left to train on ({self._reasons()})'
            )
        else:
            warn(f'{self._source} has no box: its pictures train as background alone')

    def _reasons(self) -> str:
        """Why nothing is left."""
        config = dict(self.filter_cfg) if self.filter_cfg else None
        reasons = [f'filter_cfg={config}']
        if self.names:
            reasons.append(f'classes={listed(self.names)}')
        if self.dropped.counts:
            reasons.append(self.dropped.reasons())
        return ', '.join(reasons)

    @property
    def _source(self) -> str:
        """The annotations, for messages."""
        return self.ann_file

    @cached_property
    def pictures(self) -> PictureFiles:
        """Where the pictures are."""
        return PictureFiles(self._folder, local=not self.backend_args)

    @property
    def _folder(self) -> str:
        """Where file names in the annotations start from."""
        return self.data_prefix.get('img', self.data_prefix.get('img_path', ''))

    def is_inside(self, file_name: str) -> bool:
        """Whether a name in the annotations is of a picture below their folder."""
        return path_below(self._folder, file_name) is not None

    def _check_folder(self, names: Sequence[str]) -> None:
        """Tell a wrong folder from single missing pictures before training starts."""
        if self.pictures.settle(names):
            return
        folder = os.path.abspath(self._folder or '.')
        what = 'has none of the first' if os.path.isdir(folder) else 'is not there:'
        raise DatasetError(
            f'picture folder {folder} {what} pictures of {self._source} '
            f'(looked for {self.pictures.path_of(names[0])}); it is data_root joined '
            'with data_prefix=dict(img=...), set both in the config'
        )


def _counts(sample: Sample) -> tuple[int, int]:
    """Boxes of a sample, and how many of them are crowds."""
    if isinstance(sample, DetectionSample):
        return len(sample.boxes), sum(sample.ignored)
    return sum(len(phrase.boxes) for phrase in sample.phrases), 0


def _has_boxes(sample: Sample) -> bool:
    """Whether there is anything in the picture to find."""
    return _counts(sample)[0] > 0


def _whole(caption: str) -> tuple[int, int]:
    """The span of all words."""
    begin = len(caption) - len(caption.lstrip())
    return begin, len(caption.rstrip())
