"""Import everything that registers itself."""

from mmengine.registry import init_default_scope as _init_default_scope

import glip.datasets
import glip.engine
import glip.evaluation
import glip.models
import glip.models.detectors.tta
import glip.report.plots
import glip.transforms.training  # noqa: F401


def register_all_modules(init_default_scope: bool = True) -> None:
    """Make every type known (the function mmdet has as well).

    Rarely needed: a registry imports its classes when it is first asked for one.

    Args:
        init_default_scope: Also make ``glip`` the default scope, so that unscoped
            types in a config mean ours.
    """
    if init_default_scope:
        _init_default_scope('glip')
