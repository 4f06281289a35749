"""Validation during training, which encodes the words once."""

from __future__ import annotations

from typing import Any

from mmengine.runner import ValLoop as _ValLoop

from glip.datasets.base import PromptedDataset
from glip.evaluation.checking import check_evaluator
from glip.registry import LOOPS
from glip.runtime.feature_cache import FeatureCache
from glip.runtime.leaves import iter_leaves


@LOOPS.register_module()
class ValLoop(_ValLoop):
    """mmengine's loop, in which calls of the model share what they compute of words.

    A picture that cannot be read is shown as a blank one and listed, as a training that
    is under way shall not end for it.

    Args:
        *args: See mmengine's.
        **kwargs: As ``*args``.

    Raises:
        ConfigError: The evaluator does not fit the data set.
        DatasetError: Annotations of the evaluator are missing or of other pictures.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for dataset in iter_leaves(self.dataloader.dataset):
            if isinstance(dataset, PromptedDataset):
                dataset.blank_for_broken = True
        # Now, as the first validation comes after an epoch.
        check_evaluator(self.evaluator, self.dataloader.dataset)

    def run(self) -> dict[str, float]:
        """Evaluate all pictures.

        Returns:
            The results by name.
        """
        with FeatureCache().in_use():
            return super().run()
