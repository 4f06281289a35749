"""Ids of pictures in files that want another number for each."""

from __future__ import annotations

from typing import Any


class PictureIds:
    """Keeps the ids that records carry where it can, and counts up where not."""

    def __init__(self) -> None:
        self._used: set[int] = set()
        self._next = 1

    def take(self, wanted: Any) -> int:
        """The wanted id, if it is a number that nothing has yet, or else a new one."""
        number = wanted if isinstance(wanted, int) and wanted >= 0 else None
        if number is None or number in self._used:
            while self._next in self._used:
                self._next += 1
            number = self._next
        self._used.add(number)
        return number
