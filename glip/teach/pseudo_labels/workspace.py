"""Work that several processes share by files, each of them killed at any moment.

A share that is at work has a file of lines, one for each picture, written whole and in
order; a process that takes it over goes on behind the last whole line. When a share is
complete, its records get their name first and then its statistics, whose presence means
that it is done. ``summary.json`` comes last of all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from glip.datasets.converters.output import atomic_text, compact_json
from glip.errors import ConfigError, DatasetError
from glip.runtime.reading import read_json

_NAME = 'labels'


class Workspace:
    """Folder of the results.

    Args:
        folder: Created where it is missing.
        suffix: Of the files of shares: ``'.jsonl'`` or ``'.tar'``.

    Raises:
        DatasetError: It cannot be written.
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        self.folder = folder
        self.suffix = suffix
        self._progress = folder / 'progress'
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def summary(self) -> Path:
        """What is written when all is done."""
        return self.folder / 'summary.json'

    @property
    def joined(self) -> Path:
        """All records in one file."""
        return self.folder / f'{_NAME}.jsonl'

    @property
    def label_map(self) -> Path:
        """Names of the classes."""
        return self.folder / 'label_map.json'

    @property
    def pattern(self) -> str:
        """All files of shares."""
        return str(self.folder / f'{_NAME}-*{self.suffix}')

    def result(self, number: int) -> Path:
        """Records of a share."""
        return self.folder / f'{_NAME}-{number:06d}{self.suffix}'

    def statistics(self, number: int) -> Path:
        """Statistics of a share that is done."""
        return self._progress / f'{number:06d}.json'

    def is_done(self, number: int) -> bool:
        """Whether a share is complete."""
        return self.statistics(number).is_file()

    def claim(self, settings: Mapping[str, Any]) -> bool:
        """Begin with some settings, or go on with the same.

        Args:
            settings: All that the results depend on.

        Returns:
            Whether everything is there already.

        Raises:
            ConfigError: The folder has results, or a beginning, of other settings.
        """
        if self.summary.is_file():
            earlier = read_json(str(self.summary)).get('settings')
        else:
            path = self._progress / 'settings.json'
            with self.locked('settings') as is_held:
                if not is_held:  # another process has just finished
                    return self.claim(settings)
                if not path.is_file():
                    with atomic_text(path) as file:
                        file.write(compact_json(settings))
                    return False
                earlier = read_json(str(path))
        difference = _difference(earlier, json.loads(compact_json(settings)))
        if difference:
            raise ConfigError(
                f'{self.folder} holds labels of another run ({difference}): name '
                'another folder, or remove this one'
            )
        return self.summary.is_file()

    @contextlib.contextmanager
    def locked(self, name: str | int, *, wait: bool = True) -> Iterator[bool]:
        """Hold a lock that the system takes from a process when it dies.

        Args:
            name: Of the lock; a number is that of a share.
            wait: Until another process gives it back.

        Yields:
            Whether it is held: not if another process has it, or all work is done.
        """
        name = name if isinstance(name, str) else f'{name:06d}'
        lock = FileLock(self._progress / f'{name}.lock')
        with disk_errors(self.folder):
            while not lock.is_locked and not self.summary.is_file():
                # A process that is ready may remove the folder at any moment.
                with contextlib.suppress(FileNotFoundError):
                    self._progress.mkdir(parents=True, exist_ok=True)
                    try:
                        lock.acquire(blocking=wait)
                    except Timeout:
                        break
        try:
            yield lock.is_locked and not self.summary.is_file()
        finally:
            lock.release()

    def lines(self, number: int) -> Lines:
        """The lines of a share at work."""
        return Lines(self._progress / f'{number:06d}.part')

    def sweep(self) -> None:
        """Remove what killed processes left half written, when nobody writes."""
        for name in (_NAME, self.summary.stem, self.label_map.stem):
            for path in self.folder.glob(f'.{name}*.part'):
                path.unlink()

    def clean(self) -> None:
        """Remove what only unfinished work needs."""
        shutil.rmtree(self._progress, ignore_errors=True)


class Lines:
    """JSON lines that are appended one by one and survive a kill.

    Args:
        path: The file, of which a torn last line is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.count = 0
        end = 0
        if path.is_file():
            with path.open('rb') as file:
                for line in file:
                    if not line.endswith(b'\n'):
                        break
                    self.count += 1
                    end += len(line)
        self._file: BinaryIO = path.open('r+b' if path.is_file() else 'w+b')
        self._file.truncate(end)
        self._file.seek(end)

    def add(self, line: Mapping[str, Any]) -> None:
        """Append a line, which is with the operating system when this returns.

        Raises:
            OSError: There is no room; the line is not there then.
        """
        self._file.write(compact_json(line).encode() + b'\n')
        self._file.flush()
        self.count += 1

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """All lines from the first on."""
        self._file.flush()
        with self._path.open('rb') as file:
            yield from map(json.loads, file)

    def close(self) -> None:
        """Close the file, which stays."""
        with contextlib.suppress(OSError):  # a line that had no room is tried again
            self._file.close()

    def remove(self) -> None:
        """Remove the file."""
        self.close()
        self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def disk_errors(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what the system says of a folder into one line.

    Raises:
        DatasetError: It cannot be written, or is full.
    """
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f'{folder} cannot be written: {error.strerror or error}; what was labelled '
            'is kept, and the same command goes on with it'
        ) from error


def _difference(earlier: Any, settings: Mapping[str, Any]) -> str:
    """The first setting that differs, in words; '' if none does."""
    earlier = earlier if isinstance(earlier, Mapping) else {}
    for name, value in settings.items():
        before = earlier.get(name)
        if before == value:
            continue
        if isinstance(value, Mapping):
            return _difference(before, value) or f'another {name}'
        if isinstance(value, str) and len(value) == 32:  # digests say nothing
            return f'other {name.replace("_", " ")}'
        return f'{name} {_short(before)}, not {_short(value)}'
    return ''


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else text[:57] + '...'
