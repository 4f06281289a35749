from .class_space import ClassSpaceNeck
from .fpn import FPN
from .fpn_drop_block import FPN_DropBlock
from .pan import PAN

__all__ = ['FPN', 'PAN', 'ClassSpaceNeck', 'FPN_DropBlock']
