"""How good detections are."""

from glip.evaluation.coco_metric import CocoMetric
from glip.evaluation.multi_datasets import MultiDatasetsEvaluator

__all__ = ['CocoMetric', 'MultiDatasetsEvaluator']
