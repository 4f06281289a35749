"""From the pictures and words of a request to its detections, whatever the route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anyio.to_thread

from glip.apis import Detections
from glip.errors import GLIPError
from glip.runtime.values import Threshold
from glip.serve.addresses import Fetcher
from glip.serve.batcher import Batcher, Question
from glip.serve.gate import RequestMemory
from glip.serve.limits import Limits
from glip.serve.pictures import Upload, from_base64, measured
from glip.serve.refusals import TooLarge
from glip.serve.words import Words, read_words
from glip.text import TextPrompt


@dataclass(frozen=True)
class Service:
    """What the routes share.

    Attributes:
        model: Name of the model.
        threshold: Score that it takes where a request names none.
        prompt: What it looks for where a request has no words, if anything.
        limits: Of the server.
        batcher: The queue before the model.
        fetcher: For pictures that are given as addresses.
    """

    model: str
    threshold: float
    prompt: TextPrompt | None
    limits: Limits
    batcher: Batcher
    fetcher: Fetcher

    async def prompt_of(self, words: Words | None) -> TextPrompt:
        """The prompt of a request; see :func:`glip.serve.words.read_words`."""
        return await anyio.to_thread.run_sync(
            read_words, words, self.limits, self.prompt
        )

    async def upload(self, data: bytes, name: str | None) -> Upload:
        """A picture as sent; see :func:`glip.serve.pictures.measured`."""
        return await anyio.to_thread.run_sync(measured, data, name, self.limits.pixels)

    async def picture(
        self, text: str, memory: RequestMemory, name: str | None = None
    ) -> Upload:
        """A picture that a text stands for: base64, ``data:``, or an address.

        Args:
            text: Of the request.
            memory: Account of the request, to which fetched bytes are added.
            name: What the client calls it; by default its address.

        Raises:
            BadPicture: It is none, or cannot be fetched.
            TooLarge: It has too many pixels or bytes.
        """
        if text[:8].lower().startswith(('http://', 'https://')):
            data = await self.fetcher(text, memory.add)
            name = name or text
        else:
            data = await anyio.to_thread.run_sync(from_base64, text, name)
        return await self.upload(data, name)

    def check_count(self, pictures: int) -> None:
        """Refuse a request with too many pictures.

        Raises:
            TooLarge: It has.
        """
        if pictures > self.limits.pictures:
            raise TooLarge(
                f'{pictures} pictures in one request, of which '
                f'{self.limits.pictures} are allowed; send several requests'
            )

    async def detect_each(
        self,
        pictures: Sequence[Upload],
        prompts: Sequence[TextPrompt],
        threshold: Threshold,
    ) -> list[Detections | GLIPError]:
        """Detections of each picture, or why there are none.

        Raises:
            QueueFull: They have no room.
        """
        questions = [Question(prompt, threshold) for prompt in prompts]
        return await self.batcher.detect(pictures, questions)

    async def detect(
        self,
        pictures: Sequence[Upload],
        prompts: Sequence[TextPrompt],
        threshold: Threshold,
    ) -> list[Detections]:
        """Detections of all pictures.

        Raises:
            GLIPError: Of one of them there are none.
        """
        answers = await self.detect_each(pictures, prompts, threshold)
        detections = []
        for answer in answers:
            if isinstance(answer, GLIPError):
                raise answer
            detections.append(answer)
        return detections
