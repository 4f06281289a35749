"""Pictures and words to learn from: data sets, their transforms, how they mix."""

from glip.datasets.coco import CocoDataset
from glip.datasets.coco_file import CocoFile, read_coco
from glip.datasets.concat import ConcatDataset
from glip.datasets.flickr30k_entities import Flickr30kEntitiesDataset
from glip.datasets.lvis import LVISDataset
from glip.datasets.mdetr import (
    Flickr30kDataset,
    MDETRDataset,
    MDETRStyleRefCocoDataset,
)
from glip.datasets.mixed_stream import MixedStream
from glip.datasets.odvg import ODVGDataset
from glip.datasets.refcoco import RefCOCODataset
from glip.datasets.sample import DetectionSample, GroundingSample, Phrase
from glip.datasets.samplers import MixtureSampler
from glip.datasets.stream import ODVGStream
from glip.transforms import (
    LoadImageFromFile,
    NegativeCaptions,
    PackDetInputs,
    RandomSamplingNegPos,
)

__all__ = [
    'CocoDataset',
    'CocoFile',
    'ConcatDataset',
    'DetectionSample',
    'Flickr30kDataset',
    'Flickr30kEntitiesDataset',
    'GroundingSample',
    'LVISDataset',
    'LoadImageFromFile',
    'MDETRDataset',
    'MDETRStyleRefCocoDataset',
    'MixedStream',
    'MixtureSampler',
    'NegativeCaptions',
    'ODVGDataset',
    'ODVGStream',
    'PackDetInputs',
    'Phrase',
    'RandomSamplingNegPos',
    'RefCOCODataset',
    'read_coco',
]
