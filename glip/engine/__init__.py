"""What mmengine's training lacks for GLIP; importing this registers all of it."""

from .amp_optim_wrapper import AmpOptimWrapper
from .flexible_runner import GLIPFlexibleRunner
from .hooks import DetVisualizationHook
from .loops import EpochBasedTrainLoop, IterBasedTrainLoop
from .optim_constructor import GLIPOptimWrapperConstructor
from .optimizers import AdamW
from .pretrained_init import Pretrained
from .runner import GLIPRunner
from .strategies import DDPStrategy, FSDPStrategy
from .test_loop import TestLoop

__all__ = [
    'AdamW',
    'AmpOptimWrapper',
    'DDPStrategy',
    'DetVisualizationHook',
    'EpochBasedTrainLoop',
    'FSDPStrategy',
    'GLIPFlexibleRunner',
    'GLIPOptimWrapperConstructor',
    'GLIPRunner',
    'IterBasedTrainLoop',
    'Pretrained',
    'TestLoop',
]
