"""A teacher writes the boxes of captions, or of classes, for others to learn from."""

from glip.teach.pseudo_labels.classes import read_classes
from glip.teach.pseudo_labels.run import Labels, label
from glip.teach.pseudo_labels.screens import Screens

__all__ = ['Labels', 'Screens', 'label', 'read_classes']
