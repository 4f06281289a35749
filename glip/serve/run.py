"""A process that serves an application until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from glip.errors import GLIPError

KEY = 'GLIP_API_KEY'  # environment variable
_HEAD_SECONDS = 10.0  # for the head of a request


def read_key() -> str | None:
    """The API key of the environment, None if there is none.

    Raises:
        GLIPError: It is empty, or has signs that a header cannot carry.
    """
    key = os.environ.get(KEY)
    if key is None:
        return None
    if not key or not key.isascii() or not key.isprintable() or ' ' in key:
        raise GLIPError(
            f'{KEY} must be letters, digits and signs without spaces; unset it to let '
            'everybody in'
        )
    return key


def serve(app: Any, server: socket.socket, *, seconds: float) -> None:
    """Answer requests until SIGTERM or Ctrl-C, then those that are under way.

    Args:
        app: The ASGI application.
        server: A bound socket; closed at the end.
        seconds: For a client to read its answer, and for the last answers.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    config = uvicorn.Config(
        app,
        http=_protocol(seconds),
        ws='none',
        log_level='warning',
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(seconds)),
    )
    # uvicorn raises the signal again once it has ended, for whom it interrupted.
    before = signal.signal(signal.SIGTERM, _do_nothing)
    try:
        uvicorn.Server(config).run(sockets=[server])
    except SystemExit as error:
        raise GLIPError('the server could not be started') from error
    finally:
        signal.signal(signal.SIGTERM, before)
        server.close()


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Handler of a signal."""


def _protocol(seconds: float) -> type[H11Protocol]:
    """Connections that give up clients which do not send a head, or do not read.

    Args:
        seconds: For what was written to be read.
    """

    class ImpatientProtocol(H11Protocol):
        _head: asyncio.TimerHandle | None = None
        _unread: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            # Every byte that is not read counts, also after the end of the answer.
            transport.set_write_buffer_limits(high=0)
            self._expect_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._expect_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._head = _cancelled(self._head)
            self._unread = _cancelled(self._unread)
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._unread = _cancelled(self._unread)
            self._unread = self.loop.call_later(seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._unread = _cancelled(self._unread)

        def _expect_head(self) -> None:
            """Give a head that has begun, or a new connection, so many seconds."""
            if self.cycle is not None and not self.cycle.response_complete:
                self._head = _cancelled(self._head)
            elif self._head is None and not self.transport.is_closing():
                self._head = self.loop.call_later(_HEAD_SECONDS, self._give_up)

        def _give_up(self) -> None:
            self._head = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.abort()

    return ImpatientProtocol


def _cancelled(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
