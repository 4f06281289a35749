"""Pictures and words to learn from: data sets, their transforms, how they mix."""

from glip.datasets.coco import CocoDataset
from glip.datasets.coco_file import CocoFile, read_coco
from glip.datasets.concat import ConcatDataset
from glip.datasets.transforms import (
    LoadImageFromFile,
    PackDetInputs,
    SampleClasses,
)

__all__ = [
    'CocoDataset',
    'CocoFile',
    'ConcatDataset',
    'LoadImageFromFile',
    'PackDetInputs',
    'SampleClasses',
    'read_coco',
]
