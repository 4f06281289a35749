from .fpn_drop_block import FPN_DropBlock

__all__ = ['FPN_DropBlock']
