"""What mmengine's training lacks for GLIP; importing this registers all of it."""

from glip.engine.amp_optim_wrapper import AmpOptimWrapper
from glip.engine.hooks import DetVisualizationHook
from glip.engine.loops import EpochBasedTrainLoop, IterBasedTrainLoop
from glip.engine.optim_constructor import GLIPOptimWrapperConstructor
from glip.engine.optimizers import AdamW
from glip.engine.runner import GLIPRunner
from glip.engine.test_loop import TestLoop
from glip.engine.val_loop import ValLoop

__all__ = [
    'AdamW',
    'AmpOptimWrapper',
    'DetVisualizationHook',
    'EpochBasedTrainLoop',
    'GLIPOptimWrapperConstructor',
    'GLIPRunner',
    'IterBasedTrainLoop',
    'TestLoop',
    'ValLoop',
]
