"""What happens to a sample on its way into a batch."""

from glip.compat import mmdet_datasets  # noqa: F401  (before anything of mmdet)
from glip.transforms.formatting import PackDetInputs
from glip.transforms.loading import LoadImageFromFile
from glip.transforms.negative_captions import NegativeCaptions
from glip.transforms.random_sampling_neg_pos import RandomSamplingNegPos
from glip.transforms.weighted_boxes import GTBoxSubOne_GLIP, LoadAnnotations

__all__ = [
    'GTBoxSubOne_GLIP',
    'LoadAnnotations',
    'LoadImageFromFile',
    'NegativeCaptions',
    'PackDetInputs',
    'RandomSamplingNegPos',
]
