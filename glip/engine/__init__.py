"""What mmengine's training lacks for GLIP; importing this registers all of it."""

from .amp_optim_wrapper import AmpOptimWrapper
from .hooks import DetVisualizationHook
from .optim_constructor import GLIPOptimWrapperConstructor
from .pretrained_init import Pretrained
from .runner import GLIPRunner

__all__ = [
    'AmpOptimWrapper',
    'DetVisualizationHook',
    'GLIPOptimWrapperConstructor',
    'GLIPRunner',
    'Pretrained',
]
