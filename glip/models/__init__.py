"""The model family; importing this registers every module of it."""

from .atss_assigner import ATSSAssigner
from .backbones import CSPNet, SwinTransformer
from .box_coder import DeltaXYWHBBoxCoderForGLIP
from .box_overlaps import BboxOverlaps2D_GLIP
from .dense_heads import ATSSVLFusionHead
from .detectors import GLIP, SelfTaughtGLIP
from .language import BertModel
from .losses import FocalLoss, GIoULoss
from .necks import PAN, ClassSpaceNeck, FPN_DropBlock

__all__ = [
    'ATSSAssigner',
    'ATSSVLFusionHead',
    'BboxOverlaps2D_GLIP',
    'BertModel',
    'DeltaXYWHBBoxCoderForGLIP',
    'CSPNet',
    'ClassSpaceNeck',
    'FPN_DropBlock',
    'FocalLoss',
    'GIoULoss',
    'GLIP',
    'PAN',
    'SelfTaughtGLIP',
    'SwinTransformer',
]
