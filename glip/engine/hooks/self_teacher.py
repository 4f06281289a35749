"""Gives a model in training a frozen copy of what it started from."""

from __future__ import annotations

import copy

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn

from glip.checkpoints import load_into
from glip.errors import ConfigError
from glip.models import SelfTaughtGLIP
from glip.registry import HOOKS
from glip.runtime.processes import unwrapped


@HOOKS.register_module()
class SelfTeacherHook(Hook):
    """Put the start into a :class:`~glip.models.SelfTaughtGLIP` as its teacher.

    It is read from its file also when a run is resumed, so the teacher stays the start.

    Args:
        checkpoint: Weights of the start, of the same model.
        tower: False leaves the tower of the head out of the teacher, for a start whose
            tower has learned nothing and whose residual gate is nearly closed.
    """

    def __init__(self, checkpoint: str, *, tower: bool = True) -> None:
        self.checkpoint = checkpoint
        self.tower = tower

    def before_train(self, runner: Runner) -> None:
        """Read the teacher.

        Raises:
            ConfigError: The model takes no teacher.
            CheckpointError: The weights are missing or of another model.
        """
        model = unwrapped(runner.model)
        if not isinstance(model, SelfTaughtGLIP):
            raise ConfigError(
                f'SelfTeacherHook needs a SelfTaughtGLIP, not {type(model).__name__}'
            )
        teacher = copy.deepcopy(model)
        load_into(teacher, self.checkpoint)
        if not self.tower:
            teacher.bbox_head.head.dyhead_tower = nn.ModuleList()
            teacher.bbox_head.head.gates = None
        model.set_teacher(teacher)
        print_log(f'the teacher is {self.checkpoint}', 'current')
