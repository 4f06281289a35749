"""Validation during training, which encodes the words once."""

from __future__ import annotations

from mmengine.runner import ValLoop as _ValLoop

from glip.registry import LOOPS
from glip.runtime.feature_cache import FeatureCache


@LOOPS.register_module()
class ValLoop(_ValLoop):
    """mmengine's loop, in which calls of the model share what they compute of words."""

    def run(self) -> dict[str, float]:
        """Evaluate all pictures.

        Returns:
            The results by name.
        """
        with FeatureCache().in_use():
            return super().run()
