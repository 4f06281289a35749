import json
import os

import pytest
import torch

from benchmarks import compare
from benchmarks.speed import cases
from benchmarks.speed.environment import SETTINGS
from benchmarks.speed.job import Job
from glip.errors import ConfigError
from glip.runtime.command import read_words

from . import stand_ins


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['--cases', 'nothing-*'], "no case is called 'nothing-*'"),
        (['--runs', '0'], '--runs must be more than 0'),
        (['--threads', '-2'], '--threads must be more than 0'),
        (['--profile', '--cases', 'train-*'], '--profile is for'),
    ],
)
def test_errors_are_one_line(arguments, message, capsys):
    assert compare.main(arguments) == 1
    err = capsys.readouterr().err
    assert err.startswith('error: ') and message in err and err.count('\n') == 1


def test_unknown_choices_are_told(capsys):
    with pytest.raises(SystemExit):
        compare.main(['--settings', 'fast'])
    assert 'default' in capsys.readouterr().err


def test_results_that_cannot_be_read_stop_before_anything_is_measured(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(compare, 'run', lambda job: pytest.fail('measured'))
    path = tmp_path / 'speed.json'
    path.write_text('no json')
    assert compare.main(['--results', str(path)]) == 1
    assert 'cannot be read as results' in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_without_a_gpu_its_cases_are_skipped(capsys):
    assert compare.main(['--device', 'cuda']) == 0
    assert capsys.readouterr().out == 'skipped: there is no CUDA device\n'


def test_every_case_can_be_listed(capsys):
    assert compare.main(['--list']) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == list(cases.CASES)


def test_memory_is_measured_once():
    args = read_words(compare.arguments, ['--cases', 'single-A-480', 'memory-A-800'])
    jobs = compare.jobs_of(args)
    assert [(job.case, job.settings) for job in jobs] == [
        ('single-A-480', 'default'),
        ('single-A-480', 'tuned'),
        ('memory-A-800', 'default'),
    ]


def test_cases_for_gpus_are_for_gpus():
    chosen = ['--cases', 'train*', '--precision', 'fp32', 'bf16', '--compile']
    on_cpu = compare.jobs_of(read_words(compare.arguments, chosen))
    assert {job.case for job in on_cpu} == {'train-A-480', 'train-B-480'}
    on_gpu = compare.jobs_of(
        read_words(compare.arguments, [*chosen, '--device', 'cuda'])
    )
    assert [(job.case, job.settings, job.precision) for job in on_gpu][-2:] == [
        ('train2-B-800', 'default', 'fp32'),
        ('train2-B-800', 'default', 'bf16'),
    ]
    assert on_gpu[0].compile == 'default' and on_gpu[-1].what.batch == 2


def test_profile_leaves_other_cases_out():
    jobs = compare.jobs_of(
        read_words(compare.arguments, ['--profile', '--settings', 'tuned'])
    )
    assert {job.what.kind for job in jobs} == {'single'}
    assert all(job.profile for job in jobs)


def test_patterns():
    assert [case.name for case in cases.select(['*-B-800', 'single-*'])] == [
        name for name in cases.CASES if name.endswith('-B-800') or 'single' in name
    ]
    with pytest.raises(ConfigError, match='x'):
        cases.select(['single-A-480', 'x'])


@pytest.mark.parametrize('work', [stand_ins.fail, stand_ins.die])
def test_a_measurement_that_fails_ends_with_one_line(
    tmp_path, capsys, monkeypatch, work
):
    monkeypatch.setattr(compare.worker, 'work', work)
    path = tmp_path / 'speed.json'
    assert compare.main(['--cases', 'single-A-480', '--results', str(path)]) == 1
    err = capsys.readouterr().err
    assert err.startswith('error: single-A-480: ') and err.count('\n') == 1
    assert not path.exists()


def test_peak_memory_takes_a_process_for_each_side(monkeypatch):
    monkeypatch.setattr(compare.worker, 'work', stand_ins.tell)
    sides = compare.run(Job('memory-A-800'))['sides']
    assert [side['label'] for side in sides] == ['mmdet', 'ours']
    assert len({os.getpid(), *(side['values'][0] for side in sides)}) == 3


def test_results_are_kept_as_they_come(tmp_path, monkeypatch, capsys):
    def run(job):
        if job.settings == SETTINGS[1]:
            raise ConfigError('the process was killed')
        side = dict(label='mmdet', peer=True, extrapolated=False, values=[1.0])
        return dict(
            case=job.case,
            settings=job.settings,
            device=job.device,
            precision=job.precision,
            unit='s',
            check='',
            environment=dict(gemm=1, matmul_error=0),
            sides=[side],
        )

    monkeypatch.setattr(compare, 'run', run)
    path = tmp_path / 'speed.json'
    assert compare.main(['--cases', 'single-A-480', '--results', str(path)]) == 1
    assert [one['settings'] for one in json.loads(path.read_text())] == ['default']
