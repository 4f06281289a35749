"""Label in a process of its own that is killed at a moment that is told."""

import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from unittest import mock

import torch
from colour_teacher import draw, write_teacher

from glip.teach.pseudo_labels import label
from glip.teach.pseudo_labels.workspace import Lines

PICTURES = 7
CAPTIONS = ('a red box beside a green box', 'one blue box', 'a dog')


def write_source(folder: Path) -> None:
    """A teacher, pictures and captions."""
    write_teacher(folder)
    entries = []
    for number in range(PICTURES):
        draw(
            folder / f'{number}.png',
            red=(4, 6, 20 + number, 40),
            green=(34, 8, 60, 30 + number),
        )
        captions = CAPTIONS[: 1 + number % 3]
        entries.append({'image': f'{number}.png', 'caption': list(captions)})
    entries.append({'image': 'absent.png', 'caption': 'a red box'})
    lines = ''.join(json.dumps(entry) + '\n' for entry in entries)
    (folder / 'captions.jsonl').write_text(lines)


def label_source(folder: Path, out: Path, *, to_shards: bool = False):
    """Label it in shares of 3 pictures."""
    config, weights = folder / 'teacher.py', folder / 'teacher.pth'
    captions = folder / 'captions.jsonl'
    return label(config, weights, captions, out, shard_size=3, to_shards=to_shards)


def files_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder, with their content."""
    paths = [path for path in folder.rglob('*') if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def start(folder: Path, out: Path, **options) -> multiprocessing.Process:
    """Label aside; see :func:`_run`."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['killed_labelling'])
    process = context.Process(target=_run, args=(folder, out), kwargs=options)
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):
        process.start()
    return process


def _run(
    folder: Path,
    out: Path,
    *,
    moment: str = '',
    number: int = 0,
    environment: dict[str, str] | None = None,
    to_shards: bool = False,
) -> None:
    """Label, and be killed.

    Args:
        folder: See :func:`write_source`.
        out: Of the results.
        moment: ``line``: when half of a line is written; ``before`` or ``after`` a
            file gets its name.
        number: Which line or file, from 0.
        environment: Further variables.
        to_shards: Write tar files.
    """
    os.environ.update(environment or {})
    torch.set_num_threads(1)
    log = open(os.devnull, 'w')
    os.dup2(log.fileno(), sys.stderr.fileno())
    count = 0

    def is_the_moment() -> bool:
        nonlocal count
        count += 1
        return count == number + 1

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    replace, add = os.replace, Lines.add

    def replace_or_die(*args):
        is_now = moment in ('before', 'after') and is_the_moment()
        if is_now and moment == 'before':
            die()
        replace(*args)
        if is_now:
            die()

    def add_or_die(self, line):
        if moment == 'line' and is_the_moment():
            half = json.dumps(line).encode()
            self._file.write(half[: len(half) // 2])
            self._file.flush()
            die()
        add(self, line)

    os.replace, Lines.add = replace_or_die, add_or_die
    label_source(folder, out, to_shards=to_shards)
