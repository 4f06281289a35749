"""Records of a share as a file that training reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from glip.datasets.converters.output import (
    atomic_binary,
    atomic_text,
    compact_json,
    write_line,
)
from glip.datasets.converters.to_shards import add_member, open_tar
from glip.teach.pseudo_labels.items import Share, Source

Records = Sequence[Mapping[str, Any]]


def write_result(
    path: Path, source: Source, share: Share, records: Iterable[Records]
) -> None:
    """Write what is to be learned: captions with a box, and all records of classes.

    Args:
        path: ``.jsonl``, or ``.tar`` for records with their pictures.
        source: Where the pictures are.
        share: The share, of which ``records`` has those of each picture in order.
        records: Consumed one by one.

    Raises:
        DatasetError: The file cannot be written, or a picture is gone.
    """
    if path.suffix == '.jsonl':
        with atomic_text(path) as file:
            for of_picture in records:
                for record in _useful(of_picture):
                    write_line(file, record)
        return
    count = 0
    with atomic_binary(path) as stream, open_tar(stream) as tar:
        for item, of_picture in zip(source.items(share), records, strict=True):
            useful = list(_useful(of_picture))
            if not useful:
                continue
            content = item.picture
            if isinstance(content, str):
                with open(content, 'rb') as picture:
                    content = picture.read()
            ending = os.path.splitext(item.name)[1].lower()
            for record in useful:
                key = f'{share.number:06d}{count:06d}'
                add_member(tar, key + ending, content or b'')
                add_member(tar, key + '.json', compact_json(record).encode())
                count += 1


def join(path: Path, parts: Iterable[Path]) -> None:
    """Write files of lines one behind the other into one."""
    with atomic_binary(path) as stream:
        for part in parts:
            with part.open('rb') as file:
                shutil.copyfileobj(file, stream)


def _useful(records: Records) -> Iterator[Mapping[str, Any]]:
    """Records without captions in which the teacher has no box.

    Of such a caption all words would be learned as absent, which nobody has seen.
    """
    for record in records:
        if 'detection' in record or record['grounding']['regions']:
            yield record
