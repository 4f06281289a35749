"""The end of every pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform, to_tensor
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from glip.errors import ConfigError
from glip.registry import TRANSFORMS

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


# Fields of instances, and what transforms call them.
_INSTANCES = {'bboxes': 'gt_bboxes', 'labels': 'gt_bboxes_labels', 'masks': 'gt_masks'}


@TRANSFORMS.register_module()
class PackDetInputs(BaseTransform):
    """mmdet's packing, which never loses the prompt.

    Args:
        meta_keys: What of the picture's record the data sample shall carry. The keys
            of the prompt are added where a config leaves them out.
    """

    def __init__(self, meta_keys: Sequence[str] = _DEFAULT_KEYS) -> None:
        self.meta_keys = tuple(dict.fromkeys((*meta_keys, *_TEXT_KEYS)))

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample into ``inputs`` (3, H, W) uint8 and ``data_samples``.

        Weights of boxes become ``gt_instances.weights``.

        Raises:
            ConfigError: A transform before lost the weights.
        """
        sample = DetDataSample(
            metainfo={key: results[key] for key in self.meta_keys if key in results}
        )
        flags = results.get('gt_ignore_flags')
        used = None if flags is None else np.flatnonzero(flags == 0)
        sample.gt_instances = _instances(results, used)
        sample.ignored_instances = InstanceData()
        if flags is not None:
            ignored = np.flatnonzero(flags == 1)
            sample.ignored_instances = _instances(results, ignored)
        if 'proposals' in results:
            sample.proposals = InstanceData(
                bboxes=to_tensor(results['proposals']),
                scores=to_tensor(results['proposals_scores']),
            )
        if 'gt_seg_map' in results:
            sample.gt_sem_seg = PixelData(
                sem_seg=to_tensor(results['gt_seg_map'][None].copy()),
                metainfo={k: results[k] for k in ('ignore_index',) if k in results},
            )
        _pack_weights(results, sample.gt_instances)
        packed = dict(data_samples=sample)
        if 'img' in results:
            packed['inputs'] = _channels_first(results['img'])
        return packed

    def __repr__(self) -> str:
        return f'{type(self).__name__}(meta_keys={self.meta_keys})'


def _channels_first(image: np.ndarray) -> Tensor:
    """(H, W, C) or (H, W) to (C, H, W)."""
    if image.ndim < 3:
        image = image[..., None]
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def _instances(results: dict[str, Any], index: np.ndarray | None) -> InstanceData:
    """Those of an index, or all."""
    instances = InstanceData()
    for field, key in _INSTANCES.items():
        if key in results:
            values = results[key] if index is None else results[key][index]
            if isinstance(values, np.ndarray):  # not boxes and masks of mmdet
                values = to_tensor(values)
            instances[field] = values
    return instances


def _pack_weights(results: dict[str, Any], truth: InstanceData) -> None:
    boxes = truth.get('bboxes')
    weights = getattr(boxes, 'weights', None)
    if weights is not None:
        truth.weights = weights
    elif boxes is not None and is_weighted(results):
        raise ConfigError(
            'weigh_by_score: a transform of the pipeline makes new boxes and '
            'loses their weights; leave that transform or weigh_by_score out'
        )


def is_weighted(results: dict[str, Any]) -> bool:
    """Whether the record of a picture has weights for its boxes."""
    return any('weight' in one for one in results.get('instances') or ())
