"""Bodies of requests, read without holding up the event loop."""

from __future__ import annotations

from typing import TypeVar

import anyio.to_thread
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from glip.serve.refusals import Refusal

Body = TypeVar('Body', bound=BaseModel)


async def read_json(request: Request, kind: type[Body]) -> Body:
    """The body of a request as JSON.

    Raises:
        Refusal: It is not JSON, or of another kind.
    """
    body = await request.body()
    return await anyio.to_thread.run_sync(_parsed, kind, body)


def _parsed(kind: type[Body], body: bytes) -> Body:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise refusal_of(error) from error


def refusal_of(error: ValidationError) -> Refusal:
    """The first thing that is wrong with a body, as one line."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    first = errors[0]
    field = '.'.join(str(part)[:60] for part in first['loc'])
    message = first['msg'].removeprefix('Value error, ')
    if first['type'] == 'json_invalid':
        message = f'the body is neither a form with files nor JSON ({message})'
    return Refusal(f'{field}: {message}' if field else message)
