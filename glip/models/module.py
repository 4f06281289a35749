"""Base of the networks: a module that knows how its weights start."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from torch import nn

InitCfg = Mapping | Sequence[Mapping] | None


class Module(nn.Module):
    """A module with mmengine's ``init_cfg`` and ``init_weights``.

    mmengine's ``BaseModule`` does the same, but importing it takes a second that
    inference has no use for: it brings optimizers and sharding along.

    Args:
        init_cfg: One or several initializers of mmengine.
    """

    def __init__(self, init_cfg: InitCfg = None) -> None:
        super().__init__()
        self.init_cfg = copy.deepcopy(init_cfg)
        self.is_init = False

    def init_weights(self) -> None:
        """Initialise once: by ``init_cfg``, then the children by their own.

        Weights from a file (``Pretrained``) come last and so overwrite the others.
        """
        if self.is_init:
            return
        given = self.init_cfg or []
        configs = [given] if isinstance(given, Mapping) else list(given)
        pretrained = [cfg for cfg in configs if is_pretrained(cfg)]
        self._initialize([cfg for cfg in configs if not is_pretrained(cfg)])
        for child in self.children():
            initialize = getattr(child, 'init_weights', None)
            if initialize is not None and not getattr(child, 'is_init', False):
                initialize()
        self._initialize(pretrained)
        self.is_init = True

    def _initialize(self, configs: list[Mapping]) -> None:
        if configs:
            from mmengine.model import initialize  # late, see above

            initialize(self, configs)


def is_pretrained(cfg: Mapping) -> bool:
    """Whether an ``init_cfg`` reads weights from a file."""
    kind = cfg.get('type')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return name.rpartition('.')[2] in ('Pretrained', 'PretrainedInit')
