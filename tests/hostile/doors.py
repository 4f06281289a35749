"""Every entry where files, words, options and configs come in."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from unittest import mock

from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from hostile import mutations

_ROOT = Path(__file__).resolve().parents[2]
Call = Callable[[Path, random.Random], object]


@dataclass(frozen=True)
class Door:
    """One entry.

    Attributes:
        name: What it is called in the table.
        folder: Seed that it reads.
        files: Files of the seed, one of which is damaged; empty where values are.
        call: What is done with the damaged copy.
        documented: Errors besides ``GLIPError`` that its documentation names.
        share: How many inputs it gets in relation to others: what trains, few.
    """

    name: str
    folder: str
    files: tuple[str, ...]
    call: Call
    documented: tuple[type[Exception], ...] = ()
    share: float = 1.0


DOORS: dict[str, Door] = {}


def door(
    folder: str,
    *files: str,
    documented: tuple[type[Exception], ...] = (),
    share: float = 1.0,
) -> Callable[[Call], Call]:
    """Decorator that makes a function of a case's folder a door."""

    def register(call: Call) -> Call:
        name = call.__name__
        DOORS[name] = Door(name, folder, files, call, documented, share)
        return call

    return register


def copy(one: Door, seeds: Path, case: Path) -> None:
    """Copy a door's seed into ``case``."""
    shutil.copytree(seeds / one.folder, case)
    config = case / 'config.json'
    if config.exists():
        text = config.read_text().replace('FOLDER', str(case))
        config.write_text(text.replace('WORK_DIR', str(case / 'run')))


def damage(one: Door, case: Path, rng: random.Random) -> str:
    """Damage one file of a case.

    Returns:
        What was done to which file, in words.
    """
    if not one.files:
        return 'values'
    name = rng.choice(one.files)
    file = case / name
    if rng.random() < 0.12:
        return f'{name}: {mutations.replace_file(file, rng)}'
    data = file.read_bytes()
    if file.suffix in ('.p', '.pkl', '.pth'):
        canary = case.parent / 'outside' / 'canary'
        file.write_bytes(mutations.damage_pickle(data, rng, canary))
        return f'{name}: pickle'
    if file.suffix in ('.json', '.jsonl') and rng.random() < 0.75:
        lines = file.suffix == '.jsonl' or file.name == 'scalars.json'
        mutate = mutations.damage_lines if lines else mutations.damage_json
        file.write_text(mutate(data.decode(), rng))
        return f'{name}: values'
    file.write_bytes(mutations.damage_bytes(data, rng))
    return f'{name}: bytes'


@contextmanager
def as_its_own_process(case: Path) -> Iterator[None]:
    """Working directory, scopes and loggers as a new process has them."""
    before, scopes = os.getcwd(), dict(DefaultScope._instance_dict)
    MMLogger._instance_dict.clear()
    environment = {'HOME': str(case), 'GLIP_CACHE': str(case / 'cache')}
    os.chdir(case)
    try:
        with mock.patch.dict(os.environ, environment):
            yield
    finally:
        os.chdir(before)
        DefaultScope._instance_dict.clear()
        DefaultScope._instance_dict.update(scopes)


@functools.cache
def script(path: str) -> ModuleType:
    """A script of the repository as module."""
    name = 'hostile_' + path.replace('/', '_').removesuffix('.py')
    spec = importlib.util.spec_from_file_location(name, _ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(path: str, *arguments: object) -> int:
    """Exit code of a command."""
    # What no terminal and no system passes on.
    words = [str(a).replace('\0', '').replace('\ud800', '') for a in arguments]
    return script(path).main(words)


def word(rng: random.Random) -> str:
    """A hostile value as a word of a command line."""
    value = mutations.value(rng)
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:2000]


def load_all() -> dict[str, Door]:
    """All doors, those of the modules beside this one."""
    from hostile import doors_of_commands, doors_of_data, doors_of_models  # noqa: F401

    return DOORS
