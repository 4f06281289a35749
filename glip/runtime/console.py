"""A console that shows how a run goes; everything else is in the log file."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Beginnings of what is for the log file only: of mmengine, and of libraries below it.
_FILE_ONLY = re.compile(
    r'\s*-*\s*System environment:|Config:|Hooks will be executed|paramwise_options'
    r'|Distributed training is not used|Exp name:|Checkpoints will be saved'
    r'|"FileClient" will be|"HardDiskBackend" is|Saving checkpoint at'
    r'|Auto resumed from|The best checkpoint with|The previous best checkpoint'
)
_TRAINING = re.compile(
    r'(?:Epoch\(train\) +\[(?P<epoch>\d+)\]|Iter\(train\) )'
    r'\[ *(?P<step>\d+)/(?P<steps>\d+)\]'
)
_VALUE = re.compile(r'(?P<name>[\w/]+): (?P<value>[\w.:+-]+(?: day[s]?, [\d:]+)?)')
_EVALUATED = re.compile(r'Epoch\((val|test)\) .*\[\d+/\d+\] ')


class ConsoleFilter(logging.Filter):
    """Keeps from a console what only a log file needs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is shown."""
        if record.levelno >= logging.ERROR:
            return True
        message = record.getMessage()
        return not (_FILE_ONLY.match(message) or _EVALUATED.match(message))


class ConsoleFormatter(logging.Formatter):
    """One short line per interval of training, with units; others as they are."""

    def format(self, record: logging.LogRecord) -> str:
        """Text of the record."""
        message = record.getMessage()
        training = _TRAINING.match(message)
        if training:
            return training_line(training, message)
        if record.levelno >= logging.WARNING:
            return f'{record.levelname.lower()}: {message.strip()}'
        return message.strip('\n')


def training_line(match: re.Match[str], message: str) -> str:
    """Shorten mmengine's line of a training step.

    Args:
        match: Of its beginning.
        message: The whole line.
    """
    values = {
        each['name']: each['value'] for each in _VALUE.finditer(message, match.end())
    }
    parts = [f'step {match["step"]}/{match["steps"]}']
    if match['epoch']:
        parts.insert(0, f'epoch {match["epoch"]}')
    if 'loss' in values:
        single = [
            f'{name.removeprefix("loss_")} {_short(value)}'
            for name, value in values.items()
            if name.startswith('loss_')
        ]
        tail = f' ({", ".join(single)})' if single else ''
        parts.append(f'loss {_short(values["loss"])}{tail}')
    rate = values.get('base_lr') or values.get('lr')
    if rate:
        parts.append(f'lr {float(rate):.1e}')
    if 'time' in values:
        waiting = f' (data {values["data_time"]} s)' if 'data_time' in values else ''
        parts.append(f'{_short(values["time"])} s/step{waiting}')
    if 'memory' in values:
        parts.append(f'{values["memory"]} MB')
    if 'eta' in values:
        parts.append(f'eta {values["eta"]}')
    return '  '.join(parts)


def _short(value: str) -> str:
    try:
        return f'{float(value):.3g}'
    except ValueError:
        return value


def quiet_console(logger: logging.Logger) -> None:
    """Let a logger's console show the run only; its file keeps everything.

    Args:
        logger: mmengine's, with a handler for the console and one for a file.
    """
    for handler in logger.handlers:
        is_console = isinstance(handler, logging.StreamHandler)
        if not is_console or isinstance(handler, logging.FileHandler):
            continue
        if not any(isinstance(each, ConsoleFilter) for each in handler.filters):
            handler.addFilter(ConsoleFilter())
            handler.setFormatter(ConsoleFormatter())


@contextmanager
def warnings_to_file(logger: logging.Logger) -> Iterator[None]:
    """Write warnings of libraries into the logger's file for a while.

    Args:
        logger: Whose handlers of files are used.
    """
    files = [each for each in logger.handlers if isinstance(each, logging.FileHandler)]
    if not files:
        yield
        return
    shown = warnings.showwarning

    def write(message, category, filename, lineno, file=None, line=None) -> None:  # type: ignore[no-untyped-def]
        text = warnings.formatwarning(message, category, filename, lineno, line)
        record = logger.makeRecord(
            logger.name, logging.WARNING, filename, lineno, text, (), None
        )
        for handler in files:
            handler.handle(record)

    warnings.showwarning = write
    try:
        yield
    finally:
        warnings.showwarning = shown
