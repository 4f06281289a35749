"""Pictures from the web, from servers of any speed."""

from __future__ import annotations

import http.client
import queue
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from glip.errors import ImageError, reason_of

_LARGEST = 512 * 2**20  # bytes
_PART = 2**16  # bytes read at a time
_WHOLE = 4  # times as long as a server may be silent, a picture may take


def fetch(url: str, timeout: float) -> bytes:
    """Fetch an address, however slowly its server sends lines and bytes.

    In a thread, as a server that sends one byte at a time is never silent.
    """
    limit = _WHOLE * timeout
    answer: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()
    stopped = threading.Event()

    def fetch() -> None:
        try:
            answer.put(_fetched(url, timeout, stopped))
        # Raised below, in the thread that asked.
        except Exception as error:  # noqa: BLE001
            answer.put(error)

    threading.Thread(target=fetch, name='glip-download', daemon=True).start()
    try:
        data = answer.get(timeout=limit)
    except queue.Empty:
        raise ImageError(
            f'{url}: not there after {limit:.0f} seconds; fetch it elsewhere'
        ) from None
    finally:
        stopped.set()
    if isinstance(data, Exception):
        raise data
    return data


def content_type(url: str, *, timeout: float = 10.0) -> str:
    """What a server says that an address holds, such as ``'image/png'``.

    Args:
        url: An http or https address, of which only the head is read.
        timeout: Seconds that the server may stay silent.

    Returns:
        The type in lower case; empty where the server does not answer, which reading
        the address will report.
    """
    try:
        with _open_address(url, timeout) as response:
            return response.headers.get_content_type()
    except (OSError, ValueError, http.client.HTTPException):
        return ''


def _open_address(url: str, timeout: float) -> Any:
    """The answer of a server, to read from."""
    # Spaces and letters beyond ASCII, as people paste them, must be escaped.
    address = urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]")
    request = urllib.request.Request(address, headers={'User-Agent': 'glip'})
    return urllib.request.urlopen(request, timeout=timeout)


def _fetched(url: str, timeout: float, stopped: threading.Event) -> bytes:
    """The body of an address, at most ``_LARGEST`` bytes of it."""
    try:
        with _open_address(url, timeout) as response:
            data = bytearray()
            while len(data) <= _LARGEST and not stopped.is_set():
                part = response.read1(_PART)
                if not part:
                    break
                data += part
            missing = response.length
            if missing and len(data) <= _LARGEST:
                raise http.client.IncompleteRead(bytes(data), missing)
    except urllib.error.HTTPError as error:
        status = f'{error.code} {error.reason}'
        raise ImageError(f'{url}: the server answers {status}') from error
    except urllib.error.URLError as error:
        raise ImageError(f'{url}: cannot be reached ({error.reason})') from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ImageError(f'{url}: cannot be fetched ({reason_of(error)})') from error
    if not data:
        raise ImageError(f'{url}: the answer is empty (0 bytes)')
    if len(data) > _LARGEST:
        raise ImageError(f'{url}: larger than {_LARGEST >> 20} MiB')
    return bytes(data)
