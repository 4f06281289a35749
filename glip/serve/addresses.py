"""Pictures behind addresses: fetched only where that is allowed, never from within."""

from __future__ import annotations

import ipaddress
import json
import socket
import urllib.parse
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import anyio
import httpcore

from glip.serve.refusals import BadPicture, Refusal

_REDIRECTS = 5
_SECONDS = 20.0  # for the whole picture, redirects and all
_PORTS = {'http': 80, 'https': 443}
# Paths of Label Studio that are pictures of tasks.
_LABEL_STUDIO_PATHS = ('/data/', '/tasks/')
_EXCHANGE = '/api/token/refresh/'
_RENEWED_AFTER = 60.0  # seconds; Label Studio lets short tokens live for five minutes
_GLOBAL_V6 = ipaddress.IPv6Network('2000::/3')


class Origin(NamedTuple):
    """Who answers to an address."""

    scheme: str
    host: str
    port: int


class Fetcher:
    """Fetches pictures.

    Args:
        allow_urls: Whether any public address may be fetched.
        label_studio: Address of a Label Studio whose pictures are fetched, wherever it
            is.
        token: Of a user of this Label Studio, legacy or personal; sent to nobody else.

    Raises:
        BadPicture: ``label_studio`` is no address.
    """

    def __init__(
        self,
        *,
        allow_urls: bool = False,
        label_studio: str | None = None,
        token: str | None = None,
    ) -> None:
        self.allow_urls = allow_urls
        self.label_studio = label_studio
        self.token = token
        self._trusted = None if label_studio is None else _origin(label_studio)
        self._access: str | None = None  # what a personal token was exchanged for
        self._renewal = 0.0  # when it is exchanged again

    async def __call__(self, url: str, hold: Callable[[int], None]) -> bytes:
        """Bytes behind an address, or behind a path of Label Studio.

        Args:
            url: ``http://``, ``https://``, or a path such as ``/data/upload/1/a.jpg``.
            hold: Called with the number of bytes as they arrive; what it raises ends
                the transfer.

        Raises:
            BadPicture: It may not or cannot be fetched.
        """
        if url.startswith('/'):
            if self.label_studio is None:
                raise BadPicture(
                    f'{url}: a path of Label Studio; start the server with '
                    '--label-studio ADDRESS and LABEL_STUDIO_API_KEY'
                )
            url = urllib.parse.urljoin(self.label_studio, url)
        try:
            with anyio.fail_after(_SECONDS):
                return await self._follow(url, hold)
        except TimeoutError as error:
            raise BadPicture(
                f'{url}: not there after {_SECONDS:.0f} seconds'
            ) from error

    async def _follow(self, url: str, hold: Callable[[int], None]) -> bytes:
        for _ in range(_REDIRECTS + 1):
            location, data = await self._get(url, hold)
            if location is None:
                return data
            url = urllib.parse.urljoin(url, location)
        raise BadPicture(f'{url}: more than {_REDIRECTS} redirects')

    async def _get(
        self, url: str, hold: Callable[[int], None]
    ) -> tuple[str | None, bytes]:
        """One request: where to go on, or the body."""
        # Spaces and letters beyond ASCII, as people paste them, must be escaped.
        url = urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]")
        headers = {'Host': _host_header(_origin(url)), 'User-Agent': 'glip'}
        backend: httpcore.AsyncNetworkBackend = PublicBackend()
        trusted = self._is_trusted(url)
        if trusted:
            backend = httpcore.AnyIOBackend()
        elif not self.allow_urls:
            raise BadPicture(
                f'{url}: addresses are not fetched; send the picture itself, or start '
                'the server with --allow-urls'
            )
        try:
            if trusted and self.token:
                headers['Authorization'] = await self._authorization(self.token)
            async with (
                httpcore.AsyncConnectionPool(network_backend=backend) as pool,
                pool.stream('GET', url, headers=headers) as response,
            ):
                if response.status in (301, 302, 303, 307, 308):
                    names = dict(response.headers)
                    location = names.get(b'Location') or names.get(b'location') or b''
                    return location.decode('latin-1'), b''
                if response.status != 200:
                    raise BadPicture(f'{url}: the server answers {response.status}')
                data = bytearray()
                async for part in response.aiter_stream():
                    hold(len(part))
                    data += part
                return None, bytes(data)
        except (
            *(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException),
            *(httpcore.UnsupportedProtocol, OSError, ValueError, KeyError, TypeError),
        ) as error:
            if isinstance(error, Refusal):
                raise
            reason = str(error) or type(error).__name__
            raise BadPicture(f'{url}: cannot be fetched ({reason})') from error

    def _is_trusted(self, url: str) -> bool:
        """Whether it is a picture of a task in the Label Studio that was named."""
        path = urllib.parse.unquote(urllib.parse.urlsplit(url).path)
        climbs = '..' in path.replace('\\', '/').split('/')
        is_picture = path.startswith(_LABEL_STUDIO_PATHS) and not climbs
        return _origin(url) == self._trusted and is_picture

    async def _authorization(self, token: str) -> str:
        """The header for Label Studio; personal tokens are exchanged for short ones."""
        if token.count('.') != 2:
            return f'Token {token}'
        if self._access is None or anyio.current_time() > self._renewal:
            async with httpcore.AsyncConnectionPool() as pool:
                answer = await pool.request(
                    'POST',
                    urllib.parse.urljoin(str(self.label_studio), _EXCHANGE),
                    headers={'Content-Type': 'application/json'},
                    content=json.dumps({'refresh': token}).encode(),
                )
            if answer.status != 200:
                raise BadPicture(
                    'Label Studio does not take the token of LABEL_STUDIO_API_KEY '
                    f'({answer.status})'
                )
            self._access = str(json.loads(answer.content)['access'])
            self._renewal = anyio.current_time() + _RENEWED_AFTER
        return f'Bearer {self._access}'


class PublicBackend(httpcore.AsyncNetworkBackend):
    """Connections to public addresses alone.

    The address that was checked is the one that is connected to, so a name that
    resolves to something else the second time gains nothing.
    """

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """As httpcore's, to a public address.

        Raises:
            BadPicture: The name has none, or others as well.
        """
        address = await public_address(host, port)
        return await self._backend.connect_tcp(
            address, port, timeout, local_address, socket_options
        )


async def public_address(host: str, port: int) -> str:
    """The first address of a host.

    Raises:
        BadPicture: It is unknown, or one of its addresses is not public.
    """
    try:
        results = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BadPicture(f'{host}: unknown host') from error
    addresses = [str(result[4][0]) for result in results]
    if not addresses or not all(map(is_public, addresses)):
        raise BadPicture(f'{host}: not a public address, so it is not fetched')
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet.

    Private, loopback, link-local, shared, reserved and multicast ones do not, and
    neither do those of version 6 that stand for one of version 4.
    """
    parsed = ipaddress.ip_address(address.partition('%')[0])
    if not parsed.is_global or parsed.is_multicast:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return True
    tunnel = parsed.sixtofour is not None or parsed.teredo is not None
    return parsed in _GLOBAL_V6 and not tunnel


def _origin(url: str) -> Origin:
    """Who answers to an address.

    Raises:
        BadPicture: It is none, or has a name and password in it.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        scheme, host = parts.scheme.lower(), parts.hostname
        port = parts.port or _PORTS.get(scheme)
    except ValueError as error:
        raise BadPicture(f'{url}: not an address ({error})') from error
    if scheme not in _PORTS or not host or port is None or '@' in parts.netloc:
        raise BadPicture(f'{url}: not an http or https address without a password')
    return Origin(scheme, host, port)


def _host_header(origin: Origin) -> str:
    host = f'[{origin.host}]' if ':' in origin.host else origin.host
    return host if origin.port == _PORTS[origin.scheme] else f'{host}:{origin.port}'
