"""What frozen parts compute of pictures, kept on disk while a model trains."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from mmengine.config import Config
from torch import nn

from glip.checkpoints.digest import digest_of
from glip.runtime.feature_store import FeatureStore

# What reads pictures; the tower of the head may.
_PARTS = ('backbone', 'neck', 'bbox_head')
_WEIGHTS = (
    'backbone.',
    'neck.',
    'bbox_head.head.dyhead_tower.',
    'bbox_head.head.gates.',
)


def features_kept(cfg: Config, model: nn.Module) -> AbstractContextManager:
    """A region in which pictures are computed once, where ``cache_features`` says so.

    Args:
        cfg: Resolved, see :func:`glip.config.cached_features.apply_cached_features`.
        model: Not wrapped. Its weights are read at the first picture.
    """
    options = cfg.get('cache_features')
    if not options:
        return nullcontext()

    def weights() -> str:
        state = model.state_dict()
        frozen = {name: state[name] for name in state if name.startswith(_WEIGHTS)}
        settings = [cfg.model.get(part) for part in _PARTS]
        return f'{digest_of(frozen)} {settings}'

    return FeatureStore(**options, weights=weights).in_use()
