from .csp import CSPNet
from .swin import SwinTransformer

__all__ = ['CSPNet', 'SwinTransformer']
