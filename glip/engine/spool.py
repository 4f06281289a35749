"""Results of an unfinished evaluation on disk, so that a stop loses none of them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from glip.evaluation.phrase_hits import PhraseHits
from glip.runtime.plain_records import from_bytes, to_bytes

# Length and checksum of the record that follows.
_HEAD = struct.Struct('<QI')
_VERSION = 'glip spool 2'
_KINDS = (PhraseHits,)  # data classes that metrics keep


Identity = dict[str, tuple[str, str]]


class Spool:
    """File to which one process appends the results of each picture.

    Records are written one after the other and never changed, each behind its length
    and checksum, so that a process killed at any moment leaves whole records and at
    most one half, which is not read. The first record says what is evaluated. The
    files hold data only (:mod:`glip.runtime.plain_records`): reading those of others
    runs nothing.

    Args:
        folder: Where the files of all processes are.
        rank: Of the process.
        identity: What is evaluated, see :func:`glip.engine.identity.identity_of`.
        resume: Go on after the whole records of the file, instead of emptying it.
    """

    def __init__(
        self, folder: Path, rank: int, identity: Identity, *, resume: bool
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f'rank_{rank}.spool'
        if path.is_symlink():
            path.unlink()  # what it names is not ours to write
        whole = max((end for _, end in _records(path)), default=0) if resume else 0
        self._file = path.open('r+b' if whole else 'wb')
        self._file.truncate(whole)
        self._file.seek(whole)
        if not whole:
            _write(self._file, (_VERSION, identity))

    def add(self, results: Mapping[int, Any]) -> None:
        """Append results by the number of the picture in the data set.

        They are with the operating system when this returns, so that killing the
        process does not lose them.

        Raises:
            OSError: There is no room.
            NotPlainError: A metric keeps what is no data.
        """
        _write(self._file, dict(results))

    def close(self) -> None:
        """Close the file, which stays."""
        self._file.close()


def read_spool(
    folder: Path, wanted: Iterable[int] | None = None
) -> tuple[Identity | None, dict[int, Any]]:
    """Read what all processes of an earlier evaluation wrote.

    Args:
        folder: As of :class:`Spool`.
        wanted: Numbers of the pictures to keep; by default all.

    Returns:
        What was evaluated, None where there is nothing that this version can read;
        and the results by number of the picture.
    """
    wanted = None if wanted is None else set(wanted)
    identity: Identity | None = None
    results: dict[int, Any] = {}
    for path in sorted(folder.glob('rank_*.spool')):
        try:
            records = (from_bytes(data, _KINDS) for data, _ in _records(path))
            version, of_file = next(records, (None, None))
            if version != _VERSION:
                continue
            identity = {n: (str(d), str(shown)) for n, (d, shown) in of_file.items()}
            for record in records:
                results.update(
                    (number, list(map(list, entry)))
                    for number, entry in record.items()
                    if wanted is None or number in wanted
                )
        # Of another version of what makes the entries, or of somebody else.
        except (ValueError, TypeError, AttributeError):
            return None, {}
    return identity, results


def delete_spool(folder: Path) -> None:
    """Remove the files of an earlier evaluation."""
    for path in folder.glob('rank_*.spool'):
        path.unlink()


def _write(file: BinaryIO, record: Any) -> None:
    data = to_bytes(record)
    file.write(_HEAD.pack(len(data), zlib.crc32(data)) + data)
    file.flush()


def _records(path: Path) -> Iterator[tuple[bytes, int]]:
    """The whole records of a file, each with the place where it ends."""
    if not path.is_file() or path.is_symlink():
        return
    size = path.stat().st_size
    with path.open('rb') as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            length, checksum = _HEAD.unpack(head)
            if length > size - file.tell():
                return
            data = file.read(length)
            if len(data) != length or zlib.crc32(data) != checksum:
                return
            yield data, file.tell()
