"""Several data sets, each with classes of its own, as one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from mmengine.dataset import ConcatDataset as _MMEngineConcatDataset
from mmengine.dataset import RepeatDataset

from glip.errors import DatasetError
from glip.registry import DATASETS


@DATASETS.register_module()
class ConcatDataset(_MMEngineConcatDataset):
    """Data sets one after the other; classes may differ, as the prompt is per sample.

    Args:
        datasets: Data sets or their configs.
        repeats: How many times an epoch sees each; by default once.
        lazy_init: Read the annotations later, by ``full_init``.
        ignore_keys: Accepted for mmengine's configs; nothing has to be equal here.

    Raises:
        DatasetError: ``repeats`` does not fit, or annotations are not there.
    """

    def __init__(
        self,
        datasets: Sequence[Any],
        repeats: Sequence[int] | None = None,
        lazy_init: bool = False,
        ignore_keys: str | Sequence[str] | None = None,
    ) -> None:
        if not datasets:
            raise DatasetError('ConcatDataset needs at least one data set')
        if repeats is None:
            repeats = [1] * len(datasets)
        if len(repeats) != len(datasets) or any(int(r) != r or r < 1 for r in repeats):
            raise DatasetError(
                f'repeats={list(repeats)} must have one whole number from 1 on for '
                f'each of the {len(datasets)} data sets'
            )
        _check_annotations(datasets)
        self.datasets = [
            _repeated(d, int(times)) for d, times in zip(datasets, repeats)
        ]
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict[str, Any]:
        """All class names in order of appearance, and each part's own metainfo.

        ``cumulative_sizes`` says where the parts end, once they are read.
        """
        metainfo = joint_metainfo(self.datasets)
        if self._fully_initialized:
            metainfo['cumulative_sizes'] = list(self.cumulative_sizes)
        return metainfo

    @property
    def image_ids(self) -> list[Any] | None:
        """Of every picture the ``img_id`` its record has; None where a part has none.

        Those of different parts may be the same.
        """
        parts = [getattr(dataset, 'image_ids', None) for dataset in self.datasets]
        return None if None in parts else list(chain.from_iterable(parts))


def joint_metainfo(datasets: Sequence[Any]) -> dict[str, Any]:
    """All class names in order of appearance, and each part's own metainfo."""
    parts = [dataset.metainfo for dataset in datasets]
    names = [name for part in parts for name in part.get('classes', ())]
    return {'classes': tuple(dict.fromkeys(names)), 'parts': parts}


def _check_annotations(datasets: Sequence[Any]) -> None:
    """Say how many sets are missing before the others are read."""
    files = [
        os.path.join(dataset.get('data_root') or '', dataset['ann_file'])
        for dataset in datasets
        if isinstance(dataset, Mapping)
        and dataset.get('ann_file')
        and not dataset.get('backend_args')
    ]
    missing = [file for file in files if '://' not in file and not os.path.exists(file)]
    if missing and len(datasets) > 1:
        others = '; of custom_data, skip_missing=True evaluates the others'
        raise DatasetError(
            f'{len(missing)} of {len(datasets)} data sets have no annotation file, the '
            f'first that is not found: {os.path.abspath(missing[0])} (data_root joined '
            'with ann_file: set both in the config, or custom_data.data_root'
            f'{others if len(missing) < len(datasets) else ""})'
        )


def _repeated(dataset: Any, times: int) -> Any:
    """Wrap only where it changes something."""
    if times == 1 and isinstance(dataset, Mapping):
        return DATASETS.build(dataset)
    if times > 1 and isinstance(dataset, Mapping):
        # mmengine's class takes another wrapper as config only.
        config = {'type': RepeatDataset, 'dataset': dataset, 'times': times}
        return DATASETS.build({**config, 'lazy_init': True})
    return RepeatDataset(dataset, times, lazy_init=True) if times > 1 else dataset
