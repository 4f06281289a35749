"""Transforms of samples that have annotations."""

from glip.transforms.negative_captions import NegativeCaptions
from glip.transforms.random_sampling_neg_pos import RandomSamplingNegPos
from glip.transforms.weighted_boxes import GTBoxSubOne_GLIP, LoadAnnotations

__all__ = [
    'GTBoxSubOne_GLIP',
    'LoadAnnotations',
    'NegativeCaptions',
    'RandomSamplingNegPos',
]
