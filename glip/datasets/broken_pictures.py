"""Pictures that cannot be read: skipped in training, counted, capped and listed."""

from __future__ import annotations

import io
import os
import tempfile
import uuid
import weakref

from PIL import Image

from glip.errors import DatasetError
from glip.runtime.reading import warn


class BrokenPictures:
    """What one data set could not read, over all its loading processes.

    The processes share a list on disk, which exists only once something is broken:
    the limit holds for all of them together, and the one that trains can list at the
    end what the others found.

    Args:
        source: The annotation file, for messages.
        limit: How many different pictures may be broken.
    """

    def __init__(self, source: str, limit: int) -> None:
        self.source = source
        self.limit = limit
        name = f'glip_broken_pictures_{uuid.uuid4().hex}.txt'
        self._path = os.path.join(tempfile.gettempdir(), name)
        weakref.finalize(self, _remove, self._path, os.getpid())

    def add(self, message: str, total: int) -> None:
        """Note a picture that is skipped.

        Args:
            message: Which one and why, in one line.
            total: Number of pictures in the data set.

        Raises:
            DatasetError: It is one too many.
        """
        known = self.note(message)
        if len(known) > min(self.limit, total - 1):
            raise DatasetError(
                f'{len(known)} of the {total} pictures of {self.source} cannot be '
                f'read, the last one: {known[-1]} (max_broken_images={self.limit})'
            )

    def note(self, message: str) -> tuple[str, ...]:
        """Note a picture, however many there are.

        Returns:
            Those so far.
        """
        message = ' '.join(message.split())
        known = self.messages()
        if message not in known:
            flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
            descriptor = os.open(self._path, flags, 0o600)
            try:
                # A short write to a file opened for appending is not torn apart.
                os.write(descriptor, f'{message}\n'.encode())
            finally:
                os.close(descriptor)
            known = self.messages()
            warn(f'picture skipped ({len(known)} so far): {message}')
        return known

    def messages(self) -> tuple[str, ...]:
        """Every broken picture so far and why, each once."""
        try:
            with open(self._path, encoding='utf-8') as file:
                return tuple(dict.fromkeys(file.read().splitlines()))
        except FileNotFoundError:
            return ()


def blank_picture(size: tuple[int, int]) -> bytes:
    """The file of a grey picture (width, height) with nothing in it."""
    file = io.BytesIO()
    Image.new('RGB', size, (114, 114, 114)).save(file, 'PNG')
    return file.getvalue()


def _remove(path: str, owner: int) -> None:
    """Only the process that made the list takes it away."""
    if os.getpid() == owner and os.path.exists(path):
        os.unlink(path)
