"""The data sets inside those that repeat, join, seed or mix others.

A wrapper holds one data set as ``dataset`` or several as ``datasets``, built or as
configs; both are walked alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def iter_paths(dataset: Any) -> Iterator[tuple[Any, ...]]:
    """Each innermost data set behind the wrappers around it, in order.

    Args:
        dataset: A data set or the config of one.

    Yields:
        The wrappers from the outermost on, and last the data set that reads files.
    """
    fields = (
        dataset if isinstance(dataset, Mapping) else getattr(dataset, '__dict__', {})
    )
    inner = fields.get('datasets')
    if inner is None and fields.get('dataset') is not None:
        inner = [fields['dataset']]
    if not inner:
        yield (dataset,)
        return
    for part in inner:
        for path in iter_paths(part):
            yield dataset, *path


def iter_leaves(dataset: Any) -> Iterator[Any]:
    """The innermost data sets, or their configs, in order; else ``dataset`` itself."""
    return (path[-1] for path in iter_paths(dataset))
