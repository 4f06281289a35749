"""Flickr30k Entities, as its authors publish it, to ODVG."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby

from glip.datasets.converters.output import PathLike
from glip.datasets.converters.result import Result
from glip.datasets.converters.write import check_files, write_grounding
from glip.datasets.flickr30k_entities import Flickr30kEntitiesDataset
from glip.datasets.sample import Dropped, GroundingSample
from glip.runtime.progress import count_lines, track


def flickr30k_to_odvg(
    root: PathLike,
    output: PathLike,
    *,
    ids: PathLike | None = None,
    unrelated: PathLike | None = None,
) -> Result:
    """Write one grounding record per sentence.

    Args:
        root: Folder with ``Sentences/`` and ``Annotations/``.
        output: Records to write.
        ids: List of the pictures wanted, one id a line; by default all.
        unrelated: The list ``UNRELATED_CAPTIONS``, whose sentences are left out.

    Raises:
        DatasetError: The files cannot be used, or the records not be written.
    """
    root = os.fspath(root)
    lists = [os.path.abspath(path) for path in (ids, unrelated) if path is not None]
    check_files(lists, [output])
    dropped = Dropped(root)
    dataset = Flickr30kEntitiesDataset(
        ann_file=os.path.abspath(ids) if ids is not None else '',
        data_root=root,
        unrelated=os.path.abspath(unrelated) if unrelated is not None else None,
        lazy_init=True,
    )
    dataset.dropped = dropped

    def total() -> int:
        listed = len(os.listdir(dataset.annotations))
        return listed if ids is None else count_lines(ids)

    def samples() -> Iterator[GroundingSample]:
        groups = groupby(dataset.samples(), key=lambda sample: sample.file_name)
        for _, group in track(groups, total, 'pictures'):
            yield from group

    return write_grounding(samples(), output, inputs=lists, dropped=dropped)
