from .dyhead import DyConv, DyReLU
from .fusion import BiAttention, VLFuse

__all__ = ['BiAttention', 'DyConv', 'DyReLU', 'VLFuse']
