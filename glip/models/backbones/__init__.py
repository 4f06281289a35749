from .mobilenet import TorchvisionMobileNetV2
from .swin import SwinTransformer

__all__ = ['SwinTransformer', 'TorchvisionMobileNetV2']
