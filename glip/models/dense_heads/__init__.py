from .atss_vlfusion_head import ATSSVLFusionHead
from .ground_truth import GroundTruth, collect_ground_truth
from .tower import VLFusionModule

__all__ = [
    'ATSSVLFusionHead',
    'GroundTruth',
    'VLFusionModule',
    'collect_ground_truth',
]
