"""What happens beside the steps of training and testing."""

from glip.engine.hooks.broken_pictures import BrokenPicturesHook
from glip.engine.hooks.checkpoint import CheckpointHook
from glip.engine.hooks.curves import CurvesHook
from glip.engine.hooks.early_stopping import EarlyStoppingHook
from glip.engine.hooks.invalid_loss import CheckInvalidLossHook
from glip.engine.hooks.logger import LoggerHook
from glip.engine.hooks.self_teacher import SelfTeacherHook
from glip.engine.hooks.train_status import TrainStatusHook
from glip.engine.hooks.tuning import TuningHook
from glip.engine.hooks.visualization import DetVisualizationHook

__all__ = [
    'BrokenPicturesHook',
    'CheckInvalidLossHook',
    'CheckpointHook',
    'CurvesHook',
    'DetVisualizationHook',
    'EarlyStoppingHook',
    'LoggerHook',
    'SelfTeacherHook',
    'TrainStatusHook',
    'TuningHook',
]
