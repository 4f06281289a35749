"""Addresses that servers listen on."""

from __future__ import annotations

import os
import socket

from glip.errors import GLIPError


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket at an address, before anything slow begins.

    Raises:
        GLIPError: The port is taken, or the host is not of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        server = socket.socket(family, kind, protocol)
    except OSError as error:
        raise GLIPError(f'--host {host}: {error.strerror or error}') from error
    try:
        if os.name == 'posix':  # where it does not mean that others may take the port
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(1)  # two that are bound alike only differ here
    except (OSError, OverflowError) as error:
        server.close()
        reason = getattr(error, 'strerror', None) or error
        raise GLIPError(
            f'cannot listen on {host}:{port} ({reason}); choose another --port'
        ) from error
    server.set_inheritable(False)
    return server
