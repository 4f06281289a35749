"""The end of every pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.datasets.transforms import PackDetInputs as _MMDetPackDetInputs

from glip.errors import ConfigError
from glip.registry import TRANSFORMS
from glip.transforms.weighted_boxes import WeightedBoxes, is_weighted

_TEXT_KEYS = (
    'text',
    'custom_entities',
    'caption_prompt',
    'tokens_positive',
    'dataset_mode',
    'num_boxes_cut',
    'phrase_types',
    'dataset_name',
)
_DEFAULT_KEYS = (
    'img_id',
    'img_path',
    'ori_shape',
    'img_shape',
    'scale_factor',
    'flip',
    'flip_direction',
)


@TRANSFORMS.register_module()
class PackDetInputs(_MMDetPackDetInputs):
    """mmdet's packing, which never loses the prompt.

    Args:
        meta_keys: What of the picture's record the data sample shall carry. The keys
            of the prompt are added where a config leaves them out.
    """

    def __init__(self, meta_keys: Sequence[str] = _DEFAULT_KEYS) -> None:
        super().__init__(tuple(dict.fromkeys((*meta_keys, *_TEXT_KEYS))))

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample into ``inputs`` (3, H, W) uint8 and ``data_samples``.

        Weights of boxes become ``gt_instances.weights``.

        Raises:
            ConfigError: A transform before lost the weights.
        """
        packed = super().transform(results)
        truth = packed['data_samples'].get('gt_instances')
        boxes = truth.get('bboxes') if truth is not None else None
        if isinstance(boxes, WeightedBoxes):
            truth.weights = boxes.weights
        elif boxes is not None and is_weighted(results):
            raise ConfigError(
                'weigh_by_score: a transform of the pipeline makes new boxes and '
                'loses their weights; leave that transform or weigh_by_score out'
            )
        return packed
