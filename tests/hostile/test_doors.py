"""No input from outside ends in a traceback, hangs, runs code or destroys files."""

import random
import shutil
import sys
from functools import partial

import pytest

from hostile.doors import as_its_own_process, copy, load_all
from hostile.judge import judge
from hostile.run import schedule, try_one
from hostile.seeds import write_all

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == 'win32', reason='needs pipes and alarms'),
]
DOORS = load_all()
INPUTS = schedule(DOORS, count=300, seed=0)


@pytest.fixture(scope='module')
def seeds(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp('hostile') / 'seeds')


@pytest.mark.parametrize('name', [name for name, door in DOORS.items() if door.files])
def test_what_is_not_damaged_is_taken(name, seeds, tmp_path):
    """Otherwise the damage would not be what the answers are about."""
    answers = set()
    for seed in range(20):
        case = tmp_path / 'case'
        shutil.rmtree(case, ignore_errors=True)
        copy(DOORS[name], seeds, case)
        (tmp_path / 'outside').mkdir(exist_ok=True)
        with as_its_own_process(case):
            verdict = judge(partial(DOORS[name].call, case, random.Random(seed)))
        answers.add(verdict.answer)
        if verdict.answer == 'result':
            return
    pytest.fail(f'only {answers}')


@pytest.mark.parametrize('name', DOORS)
def test_bad_input_gets_a_line(name, seeds, tmp_path):
    wrong = []
    for number in [number for door, number in INPUTS if door == name]:
        damaged, verdict = try_one(DOORS[name], number, seeds, tmp_path)
        if not verdict.right:
            wrong.append((number, damaged, verdict.answer, verdict.detail))
    assert not wrong
