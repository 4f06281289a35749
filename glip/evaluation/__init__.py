"""How good detections are."""

from glip.evaluation.coco_metric import CocoMetric
from glip.evaluation.lvis_metric import LVISFixedAPMetric, LVISMetric
from glip.evaluation.multi_datasets import MultiDatasetsEvaluator
from glip.evaluation.phrase_recall import Flickr30kMetric
from glip.evaluation.prediction_file import PredictionFile
from glip.evaluation.refexp_metric import RefExpMetric

__all__ = [
    'CocoMetric',
    'Flickr30kMetric',
    'LVISFixedAPMetric',
    'LVISMetric',
    'MultiDatasetsEvaluator',
    'PredictionFile',
    'RefExpMetric',
]
