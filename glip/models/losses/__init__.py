from .focal_loss import FocalLoss
from .giou_loss import GIoULoss

__all__ = ['FocalLoss', 'GIoULoss']
