"""The score from which on detections are shown."""

from __future__ import annotations

from mmengine.config import Config

from glip.runtime.values import check_score

# Of configs that have none of their own, the published models' among them.
_USUAL_THRESHOLD = 0.3


def default_threshold_of(cfg: Config) -> float:
    """Score from which on detections are kept where nobody names one.

    It is ``default_threshold`` of the config, chosen by its author for this model.

    Raises:
        ConfigError: It is not from 0 to 1.
    """
    return check_score(
        cfg.get('default_threshold', _USUAL_THRESHOLD),
        'default_threshold of the config',
    )
