"""Answers to requests that get no detections: an HTTP status and one line."""

from __future__ import annotations

from glip.errors import GLIPError


class Refusal(GLIPError):
    """A request is refused.

    Args:
        message: One line that says why.
        retry_after: Whole seconds after which the same request may succeed.
    """

    status = 422
    code = 'INVALID_REQUEST'  # for clients that tell errors apart by a word

    def __init__(self, message: object = '', *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer."""
        return (
            {} if self.retry_after is None else {'Retry-After': f'{self.retry_after}'}
        )


class Unauthorized(Refusal):
    """The API key is missing or wrong."""

    status, code = 401, 'UNAUTHORIZED'

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer; browsers ask for the key."""
        return {'WWW-Authenticate': 'Basic realm="glip"'}


class UnknownModel(Refusal):
    """The request names a model that this server does not have."""

    status, code = 404, 'MODEL_NOT_FOUND'


class TooSlow(Refusal):
    """The request did not arrive in time."""

    status, code = 408, 'REQUEST_TIMEOUT'


class TooLarge(Refusal):
    """Too many bytes, pixels or pictures."""

    status, code = 413, 'TOO_LARGE'


class BadPicture(Refusal):
    """What was sent is no picture."""

    code = 'INVALID_IMAGE'


class QueueFull(Refusal):
    """Too many pictures wait."""

    status, code = 429, 'QUEUE_FULL'


class ModelFailed(Refusal):
    """The model raised an error; the server goes on."""

    status, code = 500, 'INFERENCE_ERROR'


class Unavailable(Refusal):
    """There is no memory or time left for the request."""

    status, code = 503, 'UNAVAILABLE'


def status_of(error: GLIPError) -> int:
    """HTTP status of an error; words that cannot be used and the like are 422."""
    return error.status if isinstance(error, Refusal) else Refusal.status
