"""The model family; importing this registers every module of it."""

from .atss_assigner import ATSSAssigner
from .backbones import SwinTransformer, TorchvisionMobileNetV2
from .box_coder import DeltaXYWHBBoxCoderForGLIP
from .box_overlaps import BboxOverlaps2D_GLIP
from .dense_heads import ATSSVLFusionHead
from .detectors import GLIP
from .language import BertModel
from .losses import FocalLoss, GIoULoss
from .necks import FPN_DropBlock

__all__ = [
    'ATSSAssigner',
    'ATSSVLFusionHead',
    'BboxOverlaps2D_GLIP',
    'BertModel',
    'DeltaXYWHBBoxCoderForGLIP',
    'FPN_DropBlock',
    'FocalLoss',
    'GIoULoss',
    'GLIP',
    'SwinTransformer',
    'TorchvisionMobileNetV2',
]
