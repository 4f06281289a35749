"""What a door may answer: a result, one line, or an error that its docs name."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import signal
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from glip.errors import GLIPError

HANGING = 120  # seconds after which a call counts as one that never ends


class Hanging(BaseException):
    """A call does not come back."""


@dataclass(frozen=True)
class Verdict:
    """What came of one input.

    Attributes:
        right: Whether users can live with it.
        answer: ``result``, the name of the error, or what is wrong.
        detail: The message, and where a wrong error came from.
    """

    right: bool
    answer: str
    detail: str = ''


def judge(
    call: Callable[[], object],
    *,
    documented: tuple[type[Exception], ...] = (),
    untouched: Path | None = None,
) -> Verdict:
    """Run a door.

    Args:
        call: Returns anything; an int is the exit code of a command.
        documented: Errors besides ``GLIPError`` that the door's documentation names.
        untouched: Folder whose content must stay as it is: what runs code from the
            input would add to it, what follows links would change it.
    """
    before = _content(untouched)
    out, err = io.StringIO(), io.StringIO()
    try:
        with _guarded(), contextlib.redirect_stdout(out):
            with contextlib.redirect_stderr(err), _logged_to(err):
                code = call()
        verdict = _of_command(code, err.getvalue())
    except SystemExit as stop:  # argparse
        code = stop.code if isinstance(stop.code, int) else 1
        verdict = _of_command(code, err.getvalue())
    except GLIPError as error:
        verdict = _of_message(type(error).__name__, str(error))
    except documented as error:
        verdict = _of_message(type(error).__name__, str(error))
    except Hanging:
        verdict = Verdict(False, 'hangs', _place())
    # Everything else is what is looked for.
    except Exception as error:  # noqa: BLE001
        verdict = Verdict(False, type(error).__name__, _line(error))
    if _content(untouched) != before:
        return Verdict(False, 'touches what it must not', verdict.detail)
    return verdict


def _of_message(name: str, message: str) -> Verdict:
    if not message.strip() or '\n' in message.strip():
        return Verdict(False, f'{name} of no or several lines', message)
    if len(message) > 3000:
        return Verdict(False, f'{name} without end', message[:200])
    return Verdict(True, name, message)


def _of_command(code: object, err: str) -> Verdict:
    """Exit code and standard error of a command, or a result."""
    if 'Traceback (most recent call last)' in err or 'Logging error' in err:
        return Verdict(False, 'traceback on standard error', err[-600:])
    if not isinstance(code, int) or isinstance(code, bool) or code == 0:
        return Verdict(True, 'result')
    if code == 2 and 'usage:' in err:
        return Verdict(True, 'usage')
    lines = [line for line in err.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r'(\w+\.py: )?error: ', line)]
    if code != 1 or not errors or lines[-1] != errors[-1]:
        return Verdict(False, f'exit code {code} without a last line "error: "', err)
    raised = 'GLIP_TRACEBACK=1' in errors[-1]
    name = 'line of an error in what a config names' if raised else 'error line'
    return _of_message(name, errors[-1])


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    """Raise where the call does not come back."""

    def stop(*_: object) -> None:
        raise Hanging

    usual = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, HANGING)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)


@contextlib.contextmanager
def _logged_to(err: io.StringIO) -> Iterator[None]:
    """What the last resort of logging prints goes to the same place."""
    usual = logging.lastResort
    logging.lastResort = logging.StreamHandler(err)
    try:
        yield
    finally:
        logging.lastResort = usual


def _content(folder: Path | None) -> dict[str, bytes | None]:
    if folder is None:
        return {}
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob('*'))
    }


def _line(error: BaseException) -> str:
    """The message of an error and the place in the package that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if '/glip/' in f.filename or '/tools/' in f.filename]
    last = frames[-1] if frames else None
    places = [f'{Path(f.filename).name}:{f.lineno}' for f in (*ours[-2:], last) if f]
    try:
        message = ' '.join(str(error).split())[:160]
    except RecursionError:
        message = 'nested too deeply to show'
    return f'{message} [{" > ".join(places)}]'


def _place() -> str:
    return ''.join(traceback.format_exc().splitlines()[-3:])[:300]
