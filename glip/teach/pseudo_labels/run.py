"""From a source of captions to records with boxes, in any number of processes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from glip.teach.pseudo_labels.screens import Screens

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Labels:
    """What a labelling wrote.

    Attributes:
        records: The ``.jsonl`` that ``ODVGDataset`` takes as ``ann_file``, or the
            pattern of tar files that ``ODVGStream`` takes as ``shards``.
        data_root: Folder that the file names in the records start from; '' for tar
            files, which hold their pictures.
        label_map: Names of the classes, where there are any; ``label_map_file``.
        summary: The content of ``summary.json``.
    """

    records: str
    data_root: str
    label_map: str | None
    summary: Mapping[str, Any]


def label(
    config: PathLike | Config,
    weights: PathLike | None,
    captions: PathLike | Sequence[PathLike],
    out: PathLike,
    *,
    data_root: PathLike | None = None,
    classes: Sequence[str] | Mapping[str, str] | None = None,
    screens: Screens = Screens(),
    to_shards: bool | None = None,
    shard_size: int = 1000,
    batch_size: int = 4,
    seed: int = 0,
    limit: int | None = None,
    device: str | None = None,
    amp: bool | str = False,
) -> Labels:
    """Label pictures by a teacher; the same call goes on with what was interrupted.

    Args:
        config: Config of the teacher, or a zoo name.
        weights: Its checkpoint; None for that of the zoo name.
        captions: COCO captions JSON, jsonl of ``image`` and ``caption``, a folder with
            ``.txt`` beside the pictures, or tar files (a pattern or a list).
        out: Folder of the results.
        data_root: Folder that the pictures' names start from.
        classes: For pictures without captions, class names or {prompt: class}.
        screens: Limits that boxes have to pass.
        to_shards: Write tar files with the pictures; None does so for tar files.
        shard_size: Pictures of a share of the work.
        batch_size: Pictures that are read ahead.
        seed: Of the pictures on the page.
        limit: Label no more pictures than this.
        device: Of the teacher.
        amp: Half precision, as :func:`glip.load` takes it.

    Returns:
        Where the records are, and the summary.
    """
    raise NotImplementedError
