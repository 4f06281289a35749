"""What the Dockerfile names is there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import typer.main

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def steps():
    """Instruction and rest of every line, in order."""
    text = (_ROOT / 'Dockerfile').read_text()
    lines = re.sub(r'\\\n', ' ', re.sub(r'^#.*\n', '', text, flags=re.MULTILINE))
    return [line.split(maxsplit=1) for line in lines.splitlines() if line.strip()]


def rest_of(steps, instruction):
    return [rest for name, rest in steps if name == instruction]


def test_it_ends_as_a_user_who_serves(steps):
    assert rest_of(steps, 'USER') == ['glip']
    names = [name for name, _ in steps]
    assert names.index('USER') < names.index('ENTRYPOINT')
    (entry,) = rest_of(steps, 'ENTRYPOINT')
    (port,) = rest_of(steps, 'EXPOSE')
    words = json.loads(entry)
    assert words[:2] == ['glip', 'serve'] and words[words.index('--port') + 1] == port
    assert f':{port}/health/live' in rest_of(steps, 'HEALTHCHECK')[0]


def test_its_flags_are_those_of_the_command(steps):
    from glip.cli.app import app

    command = typer.main.get_command(app).commands['serve']
    known = {flag for option in command.params for flag in option.opts}
    usage = re.findall(r'docker run .* glip (.*)', (_ROOT / 'Dockerfile').read_text())
    (entry,) = rest_of(steps, 'ENTRYPOINT')
    words = json.loads(entry)[2:] + [
        word for line in usage for word in shlex.split(line)
    ]
    flags = {word for word in words if word.startswith('--')}
    assert flags and flags <= known


def test_the_extra_is_declared(steps):
    extras = re.findall(r"'\.\[(\w+)\]'", ' '.join(rest_of(steps, 'RUN')))
    setup = (_ROOT / 'setup.py').read_text()
    assert extras == ['serve'] and f"'{extras[0]}': parse_requirements" in setup


def test_what_the_package_is_built_from_is_sent():
    lines = (_ROOT / '.dockerignore').read_text().splitlines()
    kept = {line[1:] for line in lines if line.startswith('!')}
    assert all((_ROOT / name).exists() for name in kept)
    setup = (_ROOT / 'setup.py').read_text()
    extras = re.search(r'^EXTRAS = (\(.*\))', setup, re.MULTILINE)[1]
    needed = {'setup.py', 'pyproject.toml', 'requirements', 'glip', 'README.md'}
    assert needed | set(re.findall(r"'([^']+)'", extras)) <= kept
