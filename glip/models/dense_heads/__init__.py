from .atss_vlfusion_head import ATSSVLFusionHead
from .tower import VLFusionModule

__all__ = ['ATSSVLFusionHead', 'VLFusionModule']
