"""What one request, and all of them together, may ask of a server."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from glip.errors import GLIPError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a server; all are positive and finite.

    Attributes:
        body: Bytes of a request, and of a picture fetched for it.
        memory: Bytes of all requests that are held at a time.
        pixels: Of a picture before it is decoded, and of the pictures that are decoded
            at a time.
        pictures: Pictures of a request.
        classes: Names that a prompt looks for.
        characters: Characters of a prompt.
        queue: Pictures that wait for the model.
        seconds: For a request to arrive, and again for its answer.

    Raises:
        GLIPError: A limit is not, or a full request would never fit.
    """

    body: float = 32 * 2**20
    memory: float = 512 * 2**20
    pixels: float = 50e6
    pictures: int = 16
    classes: int = 200
    characters: int = 4000
    queue: int = 64
    seconds: float = 60.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < math.inf:  # written so that NaN fails
                raise GLIPError(
                    f'the limit on {field.name} must be positive and finite, not '
                    f'{value}'
                )
        if self.queue < self.pictures:
            raise GLIPError(
                f'a queue of {self.queue} pictures never has room for a request of '
                f'{self.pictures}'
            )
        if self.memory < self.body:
            raise GLIPError(
                f'{self.memory} bytes of memory never have room for a request of '
                f'{self.body}'
            )
