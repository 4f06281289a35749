from .cross_entropy_loss import CrossEntropyLoss
from .focal_loss import FocalLoss
from .giou_loss import GIoULoss

__all__ = ['CrossEntropyLoss', 'FocalLoss', 'GIoULoss']
