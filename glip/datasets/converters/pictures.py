"""Pictures that a conversion needs and may not find."""

from __future__ import annotations

from glip.datasets.sample import Dropped
from glip.errors import DatasetError

_PROBED = 16  # pictures looked for before a wrong folder is reported


class MissingPictures:
    """Counts pictures that cannot be read, and stops where none of the first can.

    Args:
        dropped: Counts the missing ones.
        reason: What they are called there, in the plural.
    """

    def __init__(self, dropped: Dropped, reason: str) -> None:
        self._dropped = dropped
        self._reason = reason
        self._missing = 0
        self._some_present = False

    def present(self) -> None:
        """Note a picture that can be read."""
        self._some_present = True

    def add(self, name: str, path: str, error: Exception) -> None:
        """Count a picture that could not be read from ``path``.

        Raises:
            DatasetError: None of the first pictures can be read.
        """
        self._dropped.add(self._reason, name)
        self._missing += 1
        if self._missing == _PROBED and not self._some_present:
            raise DatasetError(
                f'none of the first {_PROBED} pictures can be read (looked for '
                f'{path!r}: {getattr(error, "strerror", None) or error}); name the '
                'folder of the pictures'
            ) from error
