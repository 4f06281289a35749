"""The application: a detector behind routes, a queue and limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from glip.errors import GLIPError
from glip.serve.addresses import Fetcher
from glip.serve.answers import on_refusal
from glip.serve.batcher import Batcher
from glip.serve.detect import detect_routes
from glip.serve.gate import Gate
from glip.serve.label_studio import label_studio_routes
from glip.serve.limits import Limits
from glip.serve.metrics import CONTENT_TYPE, Metrics
from glip.serve.service import Service
from glip.serve.x_anylabeling import x_anylabeling_routes
from glip.text import TextPrompt
from glip.version import __version__


def create_app(
    detector: Any,
    *,
    model: str = 'glip',
    prompt: TextPrompt | None = None,
    limits: Limits | None = None,
    batch_size: int = 8,
    window: float = 0.005,
    fetcher: Fetcher | None = None,
    key: str | None = None,
) -> FastAPI:
    """An ASGI application that serves a detector.

    Args:
        detector: A :class:`glip.Detector`.
        model: What clients call it.
        prompt: What it looks for where a request has no words; by default the words of
            the tuned prompt that it was loaded with, if any.
        limits: See :class:`~glip.serve.limits.Limits`.
        batch_size: Most pictures that go through the detector together.
        window: Seconds that the first picture of an idle server waits for others.
        fetcher: For pictures that are given as addresses; by default none is fetched.
        key: The API key; None lets everybody in.
    """
    limits = limits or Limits()
    metrics = Metrics()
    batcher = Batcher(detector, limits, metrics, batch_size=batch_size, window=window)
    metrics.watch_queue(lambda: len(batcher))
    service = Service(
        model,
        detector.default_threshold,
        detector.words if prompt is None else prompt,
        limits,
        batcher,
        fetcher or Fetcher(),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.worker = worker = asyncio.create_task(batcher.run())
        yield
        worker.cancel()
        await asyncio.wait([worker])

    app = FastAPI(
        title='glip',
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
    )
    app.add_middleware(Gate, limits=limits, metrics=metrics, key=key)
    app.add_exception_handler(GLIPError, on_refusal)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_defect)
    app.include_router(_health_routes(service, metrics))
    app.include_router(detect_routes(service))
    app.include_router(x_anylabeling_routes(service))
    app.include_router(label_studio_routes(service))
    return app


def _health_routes(service: Service, metrics: Metrics) -> APIRouter:
    router = APIRouter()

    @router.get('/')
    @router.get('/health')
    @router.get('/health/ready')
    async def ready(request: Request) -> JSONResponse:
        """Whether a request would be answered now; 503 if not."""
        works = not request.app.state.worker.done()
        is_ready = works and not service.batcher.full
        content = {
            'status': 'UP' if is_ready else 'BUSY' if works else 'DOWN',
            'model': service.model,
            'version': __version__,
            'queue': len(service.batcher),
        }
        return JSONResponse(content, 200 if is_ready else 503)

    @router.get('/health/live')
    async def live() -> dict[str, str]:
        """Whether the server runs."""
        return {'status': 'UP'}

    @router.get('/metrics')
    async def read_metrics() -> Response:
        """Counters for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return router


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    """No such route, or another method."""
    assert isinstance(error, HTTPException)
    return JSONResponse({'error': error.detail}, error.status_code, error.headers)


async def _on_defect(request: Request, error: Exception) -> JSONResponse:
    """Answer where the server itself is wrong; uvicorn writes the traceback."""
    return JSONResponse({'error': f'{type(error).__name__} in the server'}, 500)
