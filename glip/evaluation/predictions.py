"""The .pkl files that ``tools/test.py --out`` writes, read without running them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glip.errors import DatasetError
from glip.runtime.plain_pickle import RefusedError, load_plain

_BOX_FIELDS = ('bboxes', 'scores', 'labels')


def read_predictions(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read what a model found, one entry per picture.

    Only plain data, arrays and tensors are rebuilt, so a file of a stranger cannot
    run anything.

    Args:
        path: A .pkl file as written by ``tools/test.py --out``, ours or mmdet's.

    Returns:
        Data samples as dicts with ``img_id``, the rest of their metainfo, and
        ``pred_instances``: ``bboxes`` (N, 4), ``scores`` (N,), ``labels`` (N,) as
        tensors on the CPU.

    Raises:
        DatasetError: The file is missing, damaged, or holds something else.
    """
    path = Path(path)
    try:
        if not path.is_file():
            what = 'is a folder' if path.is_dir() else 'does not exist'
            raise DatasetError(
                f'prediction file {path} {what}; tools/test.py --out X.pkl writes one'
            )
        with path.open('rb') as file:
            content = load_plain(file, arrays=True)
    except OSError as error:
        raise DatasetError(
            f'prediction file {path} cannot be read: {error.strerror or error}'
        ) from error
    except RefusedError as error:
        raise DatasetError(
            f'{path} holds {error}, which predictions do not need and which could run '
            'code, so it is refused; write it anew with tools/test.py --out'
        ) from error
    except DatasetError:
        raise
    # A damaged pickle calls what it names with anything.
    except Exception as error:  # noqa: BLE001
        raise DatasetError(
            f'{path} is no .pkl file or is cut short; tools/test.py --out writes one'
        ) from error
    return _checked(content, path)


def entry_of(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Detections of one picture as plain arrays.

    Args:
        sample: A data sample as dict, or such an entry, as metrics keep them:
            ``img_id``, ``bboxes``, ``scores`` and ``labels``.

    Returns:
        ``img_id``, ``bboxes`` (N, 4) x1 y1 x2 y2 in original pixels, ``scores``
        (N,), both float64, and ``labels`` (N,) int64.
    """
    instances = sample.get('pred_instances', sample)
    kinds = (np.float64, np.float64, np.int64)
    boxes, scores, labels = (
        as_array(instances[field], kind) for field, kind in zip(_BOX_FIELDS, kinds)
    )
    return {
        'img_id': sample.get('img_id'),
        'bboxes': boxes.reshape(-1, 4),
        'scores': scores.reshape(-1),
        'labels': labels.reshape(-1),
    }


def check_pictures(
    predictions: Sequence[Mapping[str, Any]], ids: Iterable[Any], source: str
) -> None:
    """Make sure that predictions are of these pictures, in this order.

    Args:
        predictions: Each with ``img_id``.
        ids: Of the pictures of a data set.
        source: What the data set is called in messages.

    Raises:
        DatasetError: They are not.
    """
    ids = list(ids)
    if len(ids) != len(predictions):
        raise DatasetError(
            f'the predictions are of {len(predictions)} pictures, but {source} has '
            f'{len(ids)}: give the config (and --cfg-options) they were made with'
        )
    for number, (prediction, image_id) in enumerate(zip(predictions, ids)):
        if prediction.get('img_id') != image_id:
            raise DatasetError(
                f'the predictions are not of {source}: picture {number} has the id '
                f'{prediction.get("img_id")!r} there and {image_id!r} here; give the '
                'config (and --cfg-options) they were made with'
            )


def check_labels(
    predictions: Iterable[Mapping[str, Any]], num_classes: int, source: str
) -> None:
    """Make sure that predictions are of classes that a data set has.

    Args:
        predictions: Each with ``labels`` (N,), as arrays.
        num_classes: Of the data set.
        source: What it is called in messages.

    Raises:
        DatasetError: They are not.
    """
    for prediction in predictions:
        labels = prediction['labels']
        if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
            raise DatasetError(
                f'a prediction has the label {labels.max()}, but {source} has '
                f'{num_classes} classes: give the config that it was made with'
            )


def _checked(content: Any, path: Path) -> list[dict[str, Any]]:
    """Entries that have what an evaluation needs."""
    wrong = f'{path} holds no predictions of tools/test.py --out'
    if not isinstance(content, list):
        raise DatasetError(f'{wrong}, but a {type(content).__name__}')
    if not content:
        raise DatasetError(f'{path} is empty: there are predictions of no picture')
    for number, sample in enumerate(content):
        if not isinstance(sample, dict):
            raise DatasetError(f'{wrong}: entry {number} is a {type(sample).__name__}')
        instances = sample.get('pred_instances')
        if not isinstance(instances, dict) or 'img_id' not in sample:
            raise DatasetError(f'{wrong}: entry {number} lacks img_id, pred_instances')
        missing = [field for field in _BOX_FIELDS if field not in instances]
        if missing:
            raise DatasetError(f'{wrong}: entry {number} lacks {", ".join(missing)}')
        sizes = {len(instances[field]) for field in _BOX_FIELDS}
        if len(sizes) > 1:
            raise DatasetError(
                f'{wrong}: entry {number} has {sorted(sizes)} boxes, scores and labels'
            )
    return content


def as_array(values: Any, kind: type | None = None) -> np.ndarray:
    """A tensor, a box structure or numbers as an array.

    Args:
        values: On any device.
        kind: Type of the numbers; by default theirs, float32 for half precision.
    """
    values = getattr(values, 'tensor', values)
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        if values.is_floating_point() and values.itemsize < 4:
            values = values.float()
        values = values.numpy()
    return np.asarray(values, dtype=kind)
