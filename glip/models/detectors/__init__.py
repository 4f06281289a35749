from .glip import GLIP
from .tta import DetTTAModel

__all__ = ['GLIP', 'DetTTAModel']
