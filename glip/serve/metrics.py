"""What Prometheus reads of a server."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BATCHES = (1, 2, 4, 8, 16, 32, 64)
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 120)


class Metrics:
    """Counters of one server.

    Attributes:
        requests: Answered requests by route and status; 499 is a client that left.
        seconds: Time from the first byte of a request to its answer, by route.
        pictures: Pictures that the model has seen.
        batches: Pictures that were together in a batch.
        model_seconds: Time that the model took for a batch.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            'glip_requests',
            'Requests by route and status',
            ['route', 'status'],
            registry=self.registry,
        )
        self.seconds = Histogram(
            'glip_request_seconds',
            'Time from the start of a request to its answer',
            ['route'],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.pictures = Counter(
            'glip_pictures', 'Pictures that the model has seen', registry=self.registry
        )
        self.batches = Histogram(
            'glip_batch_pictures',
            'Pictures that were together in a batch',
            buckets=_BATCHES,
            registry=self.registry,
        )
        self.model_seconds = Histogram(
            'glip_model_seconds',
            'Time that a batch took',
            buckets=_SECONDS,
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)

    def watch_queue(self, length: Callable[[], int]) -> None:
        """Report the length of the queue whenever somebody asks."""
        Gauge(
            'glip_queue_pictures', 'Pictures that wait', registry=self.registry
        ).set_function(length)

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self.registry)
