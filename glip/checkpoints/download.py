"""Fetching a weight file once: resumable, checked, safe beside other processes.

torch.hub neither resumes nor locks, so this is a small client of our own on urllib.
"""

import hashlib
import http.client
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from filelock import FileLock
from mmengine.logging import print_log
from tqdm import tqdm

from glip.checkpoints.reader import sniff
from glip.errors import CheckpointError
from glip.runtime.atomic import atomic_write

_CHUNK = 1 << 20
_ATTEMPTS = 4
_TIMEOUT = 30.0  # seconds without a byte
_SLOWEST = (
    1000  # bytes a second, over so many seconds, below which a server is given up
)


def cache_dir() -> Path:
    """Where downloads are kept: $GLIP_CACHE, $XDG_CACHE_HOME/glip or ~/.cache/glip."""
    if folder := os.environ.get('GLIP_CACHE'):
        return Path(folder).expanduser()
    base = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(base).expanduser() / 'glip'


def fetch_file(
    url: str,
    target: Path,
    *,
    sha256_prefix: str | None = None,
    attempts: int = _ATTEMPTS,
    pause: float = 1.0,
) -> Path:
    """Download ``url`` to ``target`` unless it is there already.

    Bytes gather in ``target.part``; an interrupted transfer goes on from there, in
    this call or a later one. The file appears under its name only when it is whole
    and its hash is right. Other processes that want the same file wait and share it.

    Args:
        url: http(s) address.
        target: Where the file shall lie.
        sha256_prefix: Beginning of its SHA-256 in hex, checked if given.
        attempts: How often to try before giving up.
        pause: Seconds before the second attempt, doubled for each further one.

    Returns:
        ``target``.

    Raises:
        CheckpointError: Offline, refused by the server, interrupted, not the right
            file, or no room; one line that says where to put the file by hand.
    """
    try:
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f'{target}.lock'):
                if not target.exists():
                    part = target.with_name(target.name + '.part')
                    with atomic_write(target, part=part):
                        _download(url, part, target, attempts, pause)
                        _check(part, url, sha256_prefix)
                    _stamp(target)
        if sha256_prefix and not _is_stamped(target):
            _check_cached(target, sha256_prefix)
            with suppress(OSError):  # a cache we may only read is checked each time
                _stamp(target)
    except OSError as error:
        raise CheckpointError(
            f'cannot keep {target.name} in {target.parent}: {error}; set GLIP_CACHE to '
            'a folder with room that can be written'
        ) from error
    return target


def _download(url: str, part: Path, target: Path, attempts: int, pause: float) -> None:
    """Fill ``part`` to the end, trying again from where it stopped."""
    print_log(f'downloading {url} to {target.parent}', 'current')
    reason = ''
    for attempt in range(attempts):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        have = part.stat().st_size if part.exists() else 0
        try:
            if _transfer(url, part, have):
                return
            reason = 'the connection was cut'
        except urllib.error.HTTPError as error:
            reason = f'the server answers {error.code} {error.reason}'
            if error.code == 416:
                if error.headers.get('Content-Range') == f'bytes */{have}':
                    return  # all of it came before an earlier call was stopped
                part.unlink(missing_ok=True)
            elif error.code < 500 and error.code not in (408, 429):
                break
        except _NoConnectionError as error:
            reason = f'no connection ({error})'
            if isinstance(error.__cause__, socket.gaierror):
                break  # offline; waiting will not help
    done = part.stat().st_size if part.exists() else 0
    kept = f' after {done / 1e6:.1f} MB, which are kept' if done else ''
    raise CheckpointError(
        f'cannot download {url}: {reason}{kept}; try again, or fetch it elsewhere and '
        f'put it at {target}'
    )


class _NoConnectionError(Exception):
    """The network failed, as opposed to the disk; caused by what failed."""


def _transfer(url: str, part: Path, have: int) -> bool:
    """One request; append to ``part`` what comes. True when the file is whole."""
    with _open(url, have) as answer:
        continued = answer.status == 206
        begin = f'bytes {have}-'
        if continued and not answer.headers.get('Content-Range', '').startswith(begin):
            part.unlink(missing_ok=True)  # not the range asked for: start afresh
            return False
        if not continued:
            have = 0
        length = answer.headers.get('Content-Length')
        total = have + int(length) if length and length.isdigit() else None
        name = part.name.removesuffix('.part')
        with (
            tqdm(
                desc=name, initial=have, total=total, unit='B', unit_scale=True
            ) as bar,
            part.open('ab' if continued else 'wb') as file,
        ):
            for chunk in _chunks(answer):
                file.write(chunk)
                bar.update(len(chunk))
                have += len(chunk)
    return total is None or have == total


def _open(url: str, offset: int) -> http.client.HTTPResponse:
    headers = {'User-Agent': 'glip', 'Accept-Encoding': 'identity'}
    if offset:
        headers['Range'] = f'bytes={offset}-'
    request = urllib.request.Request(url, headers=headers)
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, 'reason', error)
        cause = reason if isinstance(reason, BaseException) else error
        raise _NoConnectionError(str(reason)) from cause


def _chunks(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """Blocks of the body; a connection closed early ends them without an error.

    Raises:
        _NoConnectionError: It fails, or hardly anything comes.
    """
    begin, count = time.monotonic(), 0
    while True:
        if time.monotonic() - begin > _TIMEOUT:
            if count < _SLOWEST * _TIMEOUT:
                raise _NoConnectionError(f'{count} bytes in {_TIMEOUT:.0f} seconds')
            begin, count = time.monotonic(), 0
        try:
            chunk = answer.read1(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _NoConnectionError(str(error)) from error
        if not chunk:
            return
        count += len(chunk)
        yield chunk


def _check(part: Path, url: str, sha256_prefix: str | None) -> None:
    """Refuse, and delete, a download that is not the file it should be."""
    digest = _sha256(part)
    if sha256_prefix and not digest.startswith(sha256_prefix):
        part.unlink()
        raise CheckpointError(
            f'{url} gave another file than the published one: SHA-256 {digest[:8]} '
            f'instead of {sha256_prefix}; it was deleted, try again'
        )
    kind = sniff(part)
    if kind not in ('torch', 'safetensors'):
        part.unlink()
        raise CheckpointError(f'{url} gave no weights: it is {kind}')


def _check_cached(target: Path, sha256_prefix: str) -> None:
    """Refuse a file somebody put into the cache that is not the published one."""
    digest = _sha256(target)
    if not digest.startswith(sha256_prefix):
        raise CheckpointError(
            f'{target} is damaged or another file: SHA-256 {digest[:8]} instead of '
            f'{sha256_prefix}; delete it and try again'
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


# A stamp remembers that a file of this size and time was checked, so that a large
# file is read once, not at every start.
def _stamp(target: Path) -> None:
    _stamp_path(target).write_text(_identity(target))


def _is_stamped(target: Path) -> bool:
    path = _stamp_path(target)
    return path.exists() and path.read_text() == _identity(target)


def _stamp_path(target: Path) -> Path:
    return target.with_name(target.name + '.checked')


def _identity(target: Path) -> str:
    status = target.stat()
    return f'{status.st_size} {status.st_mtime_ns}'
