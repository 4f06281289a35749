"""The model family; importing this registers every module of it."""

from .backbones import SwinTransformer, TorchvisionMobileNetV2
from .box_coder import DeltaXYWHBBoxCoderForGLIP
from .dense_heads import ATSSVLFusionHead
from .detectors import GLIP
from .language import BertModel
from .necks import FPN_DropBlock

__all__ = [
    'ATSSVLFusionHead',
    'BertModel',
    'DeltaXYWHBBoxCoderForGLIP',
    'FPN_DropBlock',
    'GLIP',
    'SwinTransformer',
    'TorchvisionMobileNetV2',
]
