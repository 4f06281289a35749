"""What every request passes before a route sees it: key, bytes, time."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import time

import anyio
import anyio.lowlevel
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glip.serve.answers import error_answer, path_of
from glip.serve.limits import Limits
from glip.serve.metrics import Metrics
from glip.serve.refusals import Refusal, TooLarge, TooSlow, Unauthorized, Unavailable

_OPEN = ('/health',)  # paths below need no key
_CLIENT_CLOSED = 499  # status under which requests are counted whose client went away
# A body that is too large is read to a point, so that its sender comes to read
# the answer: so many times the limit, for so many seconds.
_DRAINED, _DRAIN_SECONDS = 4, 5.0


class MemoryLimit:
    """Bytes that requests hold, of all together and of each.

    Args:
        total: Bytes of all requests.
        per_request: Bytes of one.
    """

    def __init__(self, total: float, per_request: float) -> None:
        self.total, self.per_request = total, per_request
        self.used = 0

    def for_request(self) -> RequestMemory:
        """The account of a new request."""
        return RequestMemory(self)


class RequestMemory:
    """Bytes that one request holds; :meth:`release` when it ends.

    Args:
        limit: Of all requests.
    """

    def __init__(self, limit: MemoryLimit) -> None:
        self.limit = limit
        self.bytes = 0

    def add(self, count: int) -> None:
        """Hold more.

        Raises:
            TooLarge: More than one request may have.
            Unavailable: More than all of them together may have.
        """
        if self.bytes + count > self.limit.per_request:
            raise TooLarge(f'the request has more than {_mib(self.limit.per_request)}')
        if self.limit.used + count > self.limit.total:
            raise Unavailable('too many bytes are on their way', retry_after=1)
        self.bytes += count
        self.limit.used += count

    def release(self, left: int = 0) -> None:
        """Hold no more than ``left`` bytes."""
        self.limit.used -= self.bytes - left
        self.bytes = left


class Gate:
    """ASGI middleware that applies key and limits, and counts requests.

    A request has ``limits.seconds`` to arrive and as long again to be answered. One
    whose client goes away is cancelled. Routes find their account of memory in
    ``request.state.memory``.

    Args:
        app: What is behind it.
        limits: Of the server.
        metrics: Where requests are counted.
        key: The API key; None lets everybody in.
    """

    def __init__(
        self, app: ASGIApp, *, limits: Limits, metrics: Metrics, key: str | None
    ) -> None:
        self.app = app
        self.limits = limits
        self.metrics = metrics
        self.key = key
        self.memory = MemoryLimit(limits.memory, limits.body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or answer it."""
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(self, scope, receive, send)
        started = time.perf_counter()
        try:
            await exchange.run()
        finally:
            route = path_of(scope)
            self.metrics.requests.labels(route, exchange.status or 500).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - started)

    def check_key(self, scope: Scope) -> None:
        """Compare the key of a request, in a time that does not depend on it.

        Raises:
            Unauthorized: It is missing or wrong.
        """
        if self.key is None or scope['path'].startswith(_OPEN):
            return
        given = _key_of(Headers(scope=scope))
        if not hmac.compare_digest(given.encode(), self.key.encode()):
            raise Unauthorized('the API key is missing or wrong')


class _Exchange:
    """One request on its way through the gate."""

    def __init__(self, gate: Gate, scope: Scope, receive: Receive, send: Send) -> None:
        self.gate = gate
        self.scope, self._receive, self._send = scope, receive, send
        self.status: int | None = None  # of the answer, once it has begun
        self._memory = gate.memory.for_request()
        self._time = anyio.CancelScope()
        self._watcher: asyncio.Task[None] | None = None
        self._arrived = self._disconnected = False

    async def run(self) -> None:
        self.scope.setdefault('state', {})['memory'] = self._memory
        self._allow(self.gate.limits.seconds)
        try:
            with self._time:
                await self._pass()
            if self._disconnected:
                self.status = _CLIENT_CLOSED
            elif self._time.cancelled_caught and self.status is None:
                await self._answer(self._timeout())
        finally:
            self._memory.release()
            if self._watcher is not None:
                self._watcher.cancel()

    async def _pass(self) -> None:
        try:
            self.gate.check_key(self.scope)
            self._check_length()
        except Refusal as error:
            await self._answer(error)
        else:
            await self.gate.app(self.scope, self.receive, self.send)

    async def receive(self) -> Message:
        """The next part of the body, within the limits."""
        message = await self._receive()
        if message['type'] == 'http.disconnect':
            self._disconnect()
            await anyio.lowlevel.checkpoint()  # where a cancelled request ends
        elif message['type'] == 'http.request' and not self._arrived:
            more = message.get('more_body', False)
            try:
                self._memory.add(len(message.get('body', b'')))
            except Refusal:
                if more:
                    await self._drain()
                raise
            if not more:
                self._arrived = True
                self._allow(self.gate.limits.seconds)
                self._watcher = asyncio.create_task(self._watch())
        return message

    async def send(self, message: Message) -> None:
        if message['type'] == 'http.response.start':
            self.status = message['status']
        await self._send(message)

    async def _drain(self) -> None:
        """Read what is left of a body, to a point."""
        drained = 0
        with anyio.move_on_after(_DRAIN_SECONDS):
            while drained < _DRAINED * self.gate.limits.body:
                message = await self._receive()
                drained += len(message.get('body', b''))
                if not message.get('more_body', False):
                    break

    async def _watch(self) -> None:
        """Cancel the request when its client goes away."""
        while (await self._receive())['type'] != 'http.disconnect':
            pass
        self._disconnect()

    def _disconnect(self) -> None:
        if self.status is None:
            self._disconnected = True
            self._time.cancel()

    def _allow(self, seconds: float) -> None:
        self._time.deadline = anyio.current_time() + seconds

    def _check_length(self) -> None:
        """Refuse a body that says it is too large, before it is sent.

        A sender that does not wait to be asked is heard out by :meth:`receive`.
        """
        headers = Headers(scope=self.scope)
        length = headers.get('content-length', '')
        if not length.isdecimal() or int(length) <= self.gate.limits.body:
            return
        waits = headers.get('expect', '').lower() == '100-continue'
        if waits or int(length) > (1 + _DRAINED) * self.gate.limits.body:
            raise TooLarge(
                f'the request has {_mib(int(length))}, of which '
                f'{_mib(self.gate.limits.body)} are allowed'
            )

    def _timeout(self) -> Refusal:
        seconds = f'{self.gate.limits.seconds:g} seconds'
        if not self._arrived and self.scope['method'] not in ('GET', 'HEAD'):
            return TooSlow(f'the request did not arrive within {seconds}')
        return Unavailable(f'no answer within {seconds}; try later', retry_after=1)

    async def _answer(self, error: Refusal) -> None:
        answer = error_answer(self.scope['path'], error)
        await answer(self.scope, self._receive, self.send)


def _key_of(headers: Headers) -> str:
    """The key that a request gives in one of the usual ways.

    ``Authorization: Bearer KEY``, ``Token: KEY`` (X-AnyLabeling), ``X-API-Key: KEY``,
    or the password of basic authorization (Label Studio).
    """
    kind, _, value = headers.get('authorization', '').partition(' ')
    if kind.lower() == 'bearer':
        return value.strip()
    if kind.lower() == 'basic':
        try:
            return base64.b64decode(value).decode().partition(':')[2]
        except (binascii.Error, UnicodeDecodeError):
            return ''
    return headers.get('token') or headers.get('x-api-key') or ''


def _mib(count: float) -> str:
    return f'{count / 2**20:.1f} MiB'
