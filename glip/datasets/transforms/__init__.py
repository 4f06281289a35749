"""What happens to a sample on its way into a batch."""

from glip.datasets.transforms.formatting import PackDetInputs
from glip.datasets.transforms.loading import LoadImageFromFile
from glip.datasets.transforms.negative_captions import NegativeCaptions
from glip.datasets.transforms.random_sampling_neg_pos import RandomSamplingNegPos

__all__ = [
    'LoadImageFromFile',
    'NegativeCaptions',
    'PackDetInputs',
    'RandomSamplingNegPos',
]
