"""A queue before the model: pictures with the same question go through together."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from glip.apis import Detections
from glip.errors import GLIPError
from glip.runtime.allocator import release_memory
from glip.runtime.values import Threshold
from glip.serve.limits import Limits
from glip.serve.metrics import Metrics
from glip.serve.pictures import Upload
from glip.serve.refusals import ModelFailed, QueueFull
from glip.text import TextPrompt

logger = logging.getLogger(__name__)
_NEWEST = 0.2  # weight of the latest batch in the mean time of a picture


class Question(NamedTuple):
    """What is asked about a picture; pictures that share it share a batch."""

    prompt: TextPrompt
    threshold: Threshold


@dataclass(frozen=True, eq=False)
class _Job:
    picture: Upload
    question: Question
    answer: asyncio.Future[Detections | GLIPError]


class Batcher:
    """Waiting pictures of all requests, and the one thread that runs the model.

    A batch has the oldest picture and those behind it that share its question. Pictures
    are decoded when their batch begins, so that only encoded ones wait. Who stops
    waiting for an answer is taken out of the queue.

    Args:
        detector: A :class:`glip.Detector`, or what is called like one.
        limits: On waiting pictures, and on the pixels of a batch.
        batch_size: Most pictures of a batch.
        window: Seconds that the first picture of an idle server waits for others.
        metrics: Where batches are counted.
    """

    def __init__(
        self,
        detector: Any,
        limits: Limits,
        metrics: Metrics,
        *,
        batch_size: int = 8,
        window: float = 0.005,
    ) -> None:
        self.detector = detector
        self.limits = limits
        self.metrics = metrics
        self.batch_size = batch_size
        self.window = window
        self._jobs: deque[_Job] = deque()
        self._filled = asyncio.Event()
        self._seconds = 0.0  # mean time of a picture

    def __len__(self) -> int:
        """How many pictures wait."""
        return sum(not job.answer.done() for job in self._jobs)

    @property
    def full(self) -> bool:
        """Whether not even one more picture has room."""
        return len(self) >= self.limits.queue

    async def detect(
        self, pictures: Sequence[Upload], questions: Sequence[Question]
    ) -> list[Detections | GLIPError]:
        """Detections of every picture, or why there are none.

        Raises:
            QueueFull: They do not all have room.
        """
        self._jobs = deque(job for job in self._jobs if not job.answer.done())
        if len(self._jobs) + len(pictures) > self.limits.queue:
            raise QueueFull(
                f'{len(self._jobs)} pictures wait already; come back later',
                retry_after=max(1, math.ceil(len(self._jobs) * self._seconds)),
            )
        loop = asyncio.get_running_loop()
        jobs = [
            _Job(picture, question, loop.create_future())
            for picture, question in zip(pictures, questions, strict=True)
        ]
        self._jobs.extend(jobs)
        self._filled.set()
        return await asyncio.gather(*(job.answer for job in jobs))

    async def run(self) -> None:
        """Answer jobs until cancelled."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, 'glip-model') as thread:
            while True:
                await self._filled.wait()
                if len(self) < self.batch_size:
                    await asyncio.sleep(self.window)
                batch = self._next_batch()
                if not batch:
                    continue
                started = time.perf_counter()
                answers = await loop.run_in_executor(thread, self._answers, batch)
                self._count(len(batch), time.perf_counter() - started)
                for job, answer in zip(batch, answers, strict=True):
                    if not job.answer.done():
                        job.answer.set_result(answer)

    def _next_batch(self) -> list[_Job]:
        """Take the oldest job and what may share its batch out of the queue."""
        batch: list[_Job] = []
        kept: deque[_Job] = deque()
        pixels = 0
        for job in self._jobs:
            if job.answer.done():  # nobody waits for it any more
                continue
            fits = not batch or (
                len(batch) < self.batch_size
                and job.question == batch[0].question
                and pixels + job.picture.pixels <= self.limits.pixels
            )
            if fits:
                batch.append(job)
                pixels += job.picture.pixels
            else:
                kept.append(job)
        self._jobs = kept
        if not kept:
            self._filled.clear()
        return batch

    def _answers(self, batch: Sequence[_Job]) -> list[Detections | GLIPError]:
        """Decode and detect, whatever happens; runs in the thread."""
        try:
            return self._decoded_and_detected(batch)
        # The thread goes on, so every job gets an answer.
        except Exception as error:  # noqa: BLE001
            return [_failure(error)] * len(batch)

    def _decoded_and_detected(
        self, batch: Sequence[_Job]
    ) -> list[Detections | GLIPError]:
        answers: list[Any] = [None] * len(batch)
        pixels = {}
        for number, job in enumerate(batch):
            try:
                pixels[number] = job.picture.decode()
            except GLIPError as error:
                answers[number] = error
        detections = self._detections(list(pixels.values()), batch[0].question)
        for number, answer in zip(pixels, detections, strict=True):
            if isinstance(answer, Detections):
                answer = replace(
                    answer.without_pixels(), image=batch[number].picture.name
                )
            answers[number] = answer
        return answers

    def _detections(
        self, pictures: list[np.ndarray], question: Question
    ) -> list[Detections | GLIPError]:
        """One call of the detector; where it fails, one per picture."""
        if not pictures:
            return []
        try:
            return self.detector(
                pictures,
                question.prompt,
                threshold=question.threshold,
                batch_size=len(pictures),
            )
        except GLIPError as error:
            return [error] * len(pictures)
        # Whatever a model raises must not end the thread.
        except Exception as error:  # noqa: BLE001
            if len(pictures) > 1:
                release_memory()
                return [
                    answer
                    for picture in pictures
                    for answer in self._detections([picture], question)
                ]
            release_memory()
            return [_failure(error)]

    def _count(self, pictures: int, seconds: float) -> None:
        self.metrics.pictures.inc(pictures)
        self.metrics.batches.observe(pictures)
        self.metrics.model_seconds.observe(seconds)
        latest = seconds / pictures
        weight = _NEWEST if self._seconds else 1.0
        self._seconds += weight * (latest - self._seconds)


def _failure(error: Exception) -> ModelFailed:
    """What clients are told; the log has the rest."""
    logger.error('the model failed', exc_info=error)
    return ModelFailed(f'the model failed ({type(error).__name__})')
