from .class_space import ClassSpaceNeck
from .fpn_drop_block import FPN_DropBlock
from .pan import PAN

__all__ = ['PAN', 'ClassSpaceNeck', 'FPN_DropBlock']
