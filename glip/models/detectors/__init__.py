from .glip import GLIP
from .self_taught import SelfTaughtGLIP
from .tuning import TUNING_MODES, check_tuning, is_tuned

__all__ = [
    'GLIP',
    'TUNING_MODES',
    'SelfTaughtGLIP',
    'check_tuning',
    'is_tuned',
]
