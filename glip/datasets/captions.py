"""The sentences of a data set, for transforms that need other ones than a picture's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glip.datasets.sample import GroundingSample


class Captions(Sequence):
    """Picture and caption of every sample, read when asked for.

    A record of the pipeline carries it under ``captions``, so that a transform can
    draw from it by numbers: the same numbers give the same captions in every loading
    process, whatever was loaded before.

    Args:
        dataset: A :class:`glip.datasets.base.PromptedDataset`.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[str, str]:
        """File name of a picture, and its caption; '' for a sample of classes."""
        sample = self._dataset.get_sample(index)
        caption = sample.caption if isinstance(sample, GroundingSample) else ''
        return sample.file_name, caption

    def __deepcopy__(self, memo: dict[int, Any]) -> Captions:
        # Wrappers that mix pictures copy records; annotations are not theirs to copy.
        return self
