"""What mmengine's training lacks for GLIP; importing this registers all of it."""

from .hooks import DetVisualizationHook
from .pretrained_init import Pretrained
from .runner import GLIPRunner

__all__ = ['DetVisualizationHook', 'GLIPRunner', 'Pretrained']
