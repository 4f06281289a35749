"""Test-time augmentation for any config: which views of a picture, and how merged."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from glip.errors import ConfigError
from glip.runtime.leaves import iter_leaves

# Sizes relative to that of the test pipeline, which comes first.
SCALES = (1.0, 0.8, 1.2)
_RESIZE = ('Resize', 'FixScaleResize')


def apply_tta(cfg: Any) -> None:
    """Let a config be evaluated with test-time augmentation.

    ``tta_model`` and ``tta_pipeline`` of the config are used. What it has not got is
    made: by default the picture is seen at 1, 0.8 and 1.2 times the size of the test
    pipeline, each as it is and mirrored, and detections are merged by NMS. The
    prompt goes with every view.

    Args:
        cfg: Changed in place.

    Raises:
        ConfigError: There is no pipeline to make views with.
    """
    loader = cfg.get('test_dataloader')
    if not loader:
        raise ConfigError('--tta needs a test_dataloader, which the config has not got')
    for dataset in iter_leaves(loader['dataset']):
        dataset['pipeline'] = cfg.get('tta_pipeline') or views_of(
            dataset.get('pipeline') or ()
        )
    cfg.model = dict(cfg.get('tta_model') or {'type': 'DetTTAModel'}, module=cfg.model)


def views_of(pipeline: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A pipeline that sees a picture at three sizes, as it is and mirrored.

    Args:
        pipeline: Of a test, with one Resize or FixScaleResize to a fixed scale.

    Raises:
        ConfigError: It has none, so sizes are unknown.
    """
    pipeline = [copy.deepcopy(dict(transform)) for transform in pipeline]
    places = [i for i, t in enumerate(pipeline) if _name(t) in _RESIZE and 'scale' in t]
    if len(places) != 1:
        raise ConfigError(
            '--tta finds no single Resize or FixScaleResize with a scale in the test '
            'pipeline to vary: give the config a tta_pipeline'
        )
    place = places[0]
    scale = pipeline[place]['scale']
    resizes = [
        dict(pipeline[place], scale=tuple(round(side * factor) for side in scale))
        for factor in SCALES
    ]
    flips = [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)]
    # Annotations are loaded behind, so that they stay those of the picture itself.
    rest = [[transform] for transform in pipeline[place + 1 :]]
    views = dict(type='TestTimeAug', transforms=[resizes, flips, *rest])
    return [*pipeline[:place], views]


def _name(transform: Mapping[str, Any]) -> str:
    return str(transform.get('type')).rpartition('.')[2]
