"""From a picture in memory to what a detector is fed, as at evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.registry import DefaultScope

from glip.errors import ConfigError
from glip.registry import TRANSFORMS, build_light
from glip.runtime.leaves import iter_leaves
from glip.transforms.resizing import FixScaleResize

# A side shorter than this share of the other would vanish when resized.
_THINNEST = 1 / 128


class InferencePipeline:
    """The test pipeline of a config, fed with arrays instead of files.

    Transforms that read files (the picture, the annotations) are left out, all others
    run as in evaluation, so both see the same pixels.

    Args:
        transforms: Configs of the transforms, the last one packing the inputs.

    Raises:
        ConfigError: A transform is unknown or none packs the inputs.
    """

    def __init__(self, transforms: Sequence[Mapping[str, Any]]) -> None:
        names = [str(transform['type']).rpartition('.')[2] for transform in transforms]
        loaders = [t for t, n in zip(transforms, names) if n.startswith('LoadImage')]
        self._float = any(loader.get('to_float32', False) for loader in loaders)
        used = [t for t, n in zip(transforms, names) if not n.startswith('Load')]
        with DefaultScope.overwrite_default_scope('glip'):
            try:
                self._steps = [
                    build_light(dict(step), TRANSFORMS, FixScaleResize) for step in used
                ]
            except (KeyError, TypeError) as error:
                raise ConfigError(f'unusable test pipeline: {error}') from error
        if not names or not names[-1].startswith('Pack'):
            raise ConfigError('the test pipeline must end with PackDetInputs')

    @classmethod
    def from_config(cls, cfg: Mapping[str, Any]) -> InferencePipeline:
        """Take the pipeline that evaluation uses, through wrappers of data sets.

        Raises:
            ConfigError: The config has none.
        """
        loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
        dataset = next(iter_leaves(loader.get('dataset') or {}))
        pipeline = dataset.get('pipeline') or cfg.get('test_pipeline')
        if not pipeline:
            raise ConfigError(
                'the config has no test_dataloader.dataset.pipeline, which says how '
                'pictures are prepared'
            )
        return cls(pipeline)

    def __call__(
        self, image: np.ndarray, *, path: str | None = None, **metainfo: Any
    ) -> dict[str, Any]:
        """Prepare one picture.

        Args:
            image: (H, W, 3) uint8 BGR.
            path: Where it came from, for the record.
            **metainfo: Set on the data sample, whatever the config's ``meta_keys`` say.

        Returns:
            ``inputs`` (3, h, w) and ``data_samples``, one DetDataSample.
        """
        image = _widened(image)
        results: Any = {
            'img': image.astype(np.float32) if self._float else image,
            'img_id': 0,
            'img_path': path,
            'img_shape': image.shape[:2],
            'ori_shape': image.shape[:2],
        }
        for step in self._steps:
            results = step(results)
        results['data_samples'].set_metainfo(metainfo)
        return results


def _widened(image: np.ndarray) -> np.ndarray:
    """Pad a needle-thin picture right or below, where coordinates stay as they are."""
    height, width = image.shape[:2]
    shortest = int(np.ceil(max(height, width) * _THINNEST))
    if min(height, width) >= shortest:
        return image
    padding = (max(shortest - height, 0), max(shortest - width, 0))
    return np.pad(image, ((0, padding[0]), (0, padding[1]), (0, 0)), mode='edge')
