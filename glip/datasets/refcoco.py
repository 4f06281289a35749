"""RefCOCO, RefCOCO+ and RefCOCOg as their authors publish them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mmengine.utils import is_abs

from glip.datasets.base import PromptedDataset
from glip.datasets.coco_file import read_coco
from glip.datasets.refs import read_referring, read_refs, splits
from glip.datasets.sample import GroundingSample
from glip.errors import DatasetError
from glip.registry import DATASETS


@DATASETS.register_module()
class RefCOCODataset(PromptedDataset):
    """``instances.json`` and ``refs(unc).p`` of one set; a sample per sentence.

    The whole sentence means the one box. Reading the pickle never runs code from it.

    Args:
        ann_file: ``instances.json``.
        data_root: Where relative names start from.
        refs_file: ``refs(unc).p``, ``refs(google).p`` or ``refs(umd).p``, or the same
            as JSON.
        split: Which part: train, val, testA, testB or test.
        dataset_name: What results call the set; by default the folder of
            ``refs_file``, as in ``refcoco+/refs(unc).p``.
        **kwargs: See :class:`glip.datasets.base.PromptedDataset`.

    Raises:
        DatasetError: A file is missing, of another format, or has no such split.
    """

    def __init__(
        self,
        ann_file: str = 'instances.json',
        data_root: str = '',
        *,
        refs_file: str = 'refs(unc).p',
        split: str = 'val',
        dataset_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not is_abs(refs_file):
            refs_file = os.path.join(data_root, refs_file)
        self.refs_file = refs_file
        self.split = split
        folder = os.path.basename(os.path.dirname(os.path.abspath(refs_file)))
        self.dataset_name = folder if dataset_name is None else dataset_name
        super().__init__(ann_file=ann_file, data_root=data_root, **kwargs)

    def samples(self) -> Iterator[GroundingSample]:
        """One sample per sentence; see the base."""
        if not os.path.exists(self.refs_file):
            raise DatasetError(
                f'references not found: {os.path.abspath(self.refs_file)} (it is '
                'data_root joined with refs_file; set both in the config)'
            )
        refs = read_refs(self.refs_file)
        known_splits = splits(refs)
        if self.split not in known_splits:
            raise DatasetError(
                f'{self.refs_file} has no split {self.split!r}, but '
                f'{", ".join(sorted(known_splits))}'
            )
        refs = [ref for ref in refs if str(ref['split']) == self.split]
        coco = read_coco(
            self.ann_file, backend_args=self.backend_args, dropped=self.dropped
        )
        samples = read_referring(refs, coco, self.dropped)
        for number, sample in enumerate(samples):
            # A picture has several sentences, so its id does not tell them apart.
            image_id = f'{sample.image_id}_{number}'
            yield replace(sample, image_id=image_id, dataset_name=self.dataset_name)

    @property
    def _source(self) -> str:
        """The sentences, for messages."""
        return self.refs_file
