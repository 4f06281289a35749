from .atss_vlfusion_head import ATSSVLFusionHead
from .ground_truth import GroundTruth, collect_ground_truth
from .prediction import PictureFeatures
from .tower import VLFusionModule

__all__ = [
    'ATSSVLFusionHead',
    'GroundTruth',
    'PictureFeatures',
    'VLFusionModule',
    'collect_ground_truth',
]
