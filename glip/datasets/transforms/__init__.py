"""What happens to a sample on its way into a batch."""

from glip.datasets.transforms.formatting import PackDetInputs
from glip.datasets.transforms.loading import LoadImageFromFile
from glip.datasets.transforms.sample_classes import SampleClasses

__all__ = ['LoadImageFromFile', 'PackDetInputs', 'SampleClasses']
