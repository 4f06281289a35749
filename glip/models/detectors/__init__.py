from .glip import GLIP
from .self_taught import SelfTaughtGLIP
from .tta import DetTTAModel

__all__ = ['GLIP', 'DetTTAModel', 'SelfTaughtGLIP']
