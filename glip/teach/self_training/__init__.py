"""Rounds in which a model writes labels for its student, which may teach the next."""

from glip.teach.self_training.rounds import self_train
from glip.teach.self_training.settings import SelfTraining

__all__ = ['SelfTraining', 'self_train']
