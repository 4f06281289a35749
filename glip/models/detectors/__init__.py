from .glip import GLIP
from .self_taught import SelfTaughtGLIP
from .tta import DetTTAModel
from .tuning import TUNING_MODES, check_tuning, is_tuned

__all__ = [
    'GLIP',
    'TUNING_MODES',
    'DetTTAModel',
    'SelfTaughtGLIP',
    'check_tuning',
    'is_tuned',
]
