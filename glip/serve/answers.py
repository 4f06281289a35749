"""Errors as JSON, in the shape that the client of a route expects."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Scope

from glip.errors import GLIPError, one_line
from glip.serve.refusals import Refusal, status_of

# Routes of X-AnyLabeling, whose errors are objects.
X_ANYLABELING = ('/v1/models', '/v1/predict')


def error_answer(path: str, error: GLIPError) -> JSONResponse:
    """``{"error": "one line"}`` with the status of the error.

    X-AnyLabeling's routes answer ``{"success": false, "error": {"code", "message"}}``.

    Args:
        path: Of the request.
        error: Its first line is shown.
    """
    content: dict[str, object] = {'error': one_line(error)}
    if path.startswith(X_ANYLABELING):
        code = error.code if isinstance(error, Refusal) else Refusal.code
        content = {
            'success': False,
            'error': {'code': code, 'message': one_line(error)},
        }
    headers = error.headers if isinstance(error, Refusal) else {}
    return JSONResponse(content, status_of(error), headers)


async def on_refusal(request: Request, error: Exception) -> JSONResponse:
    """Handler of :class:`~glip.errors.GLIPError` for an application."""
    assert isinstance(error, GLIPError)
    return error_answer(request.url.path, error)


def path_of(scope: Scope) -> str:
    """The route of a request as it was declared; ``other`` where there is none."""
    return getattr(scope.get('route'), 'path', 'other')
