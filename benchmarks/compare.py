"""Our GLIP against mmdet's: time, memory and stages, on equal weights.

Both sides run in turn in one process per case and setting, on the same pictures and
prompts; before anything is timed their outputs are compared. Results are collected in
a JSON file, from which ``python -m benchmarks.report`` makes tables and a picture.

    python -m benchmarks.compare                      # everything
    python -m benchmarks.compare --cases single-A-480 --settings default
    python -m benchmarks.compare --cases 'single-*' --profile
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import torch

from glip.errors import ConfigError, GLIPError
from glip.ops import onednn_has_bf16
from glip.runtime.command import command

from .speed import records, tables, worker
from .speed.cases import CASES, Case, select
from .speed.environment import SETTINGS
from .speed.job import MODES, PEERS, PRECISIONS, Job

RESULTS = Path('work_dirs') / 'speed.json'


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('--cases', nargs='+', default=['*'], help="names or patterns ('*': all)")
    add('--list', action='store_true', help='list the cases and do nothing else')
    add('--settings', nargs='+', choices=SETTINGS, default=list(SETTINGS))
    add('--device', choices=('cpu', 'cuda'), default='cpu')
    add('--precision', nargs='+', choices=PRECISIONS, default=['fp32'])
    add(
        '--compile',
        nargs='?',
        choices=MODES,
        const=MODES[0],
        help='also ours under torch.compile, in this mode',
    )
    add('--peers', nargs='+', choices=PEERS, default=['mmdet'])
    add('--runs', type=int, help='rounds per case (1 to 3, by the case)')
    add('--threads', type=int, help="torch's default unless given")
    add('--quick', action='store_true', help='reckon ours on LVIS from some chunks')
    add('--profile', action='store_true', help='take stages apart instead (single-*)')
    add('--results', type=Path, default=RESULTS, help='JSON that results are added to')


def jobs_of(args: argparse.Namespace) -> list[Job]:
    """What the command line asks for.

    Raises:
        ConfigError: It cannot be measured.
    """
    for name in ('runs', 'threads'):
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise ConfigError(f'--{name} must be more than 0, not {value}')
    cases = select(args.cases)
    if args.profile:
        cases = [case for case in cases if case.kind == 'single']
        if not cases:
            raise ConfigError("--profile is for the cases 'single-*'")
    shared = ('device', 'compile', 'runs', 'threads', 'quick', 'profile')
    common = {name: getattr(args, name) for name in shared}
    common['peers'] = tuple(args.peers)
    return [
        Job(case.name, settings, precision=precision, **common)
        for case in cases
        for precision in args.precision
        for settings in args.settings
        if _applies(case, settings, precision, args)
    ]


def _applies(
    case: Case, settings: str, precision: str, args: argparse.Namespace
) -> bool:
    """Whether a measurement makes sense: memory does not depend on the settings."""
    if args.device == 'cuda':
        return settings == args.settings[0]
    if case.unit == 'MB':
        return settings == args.settings[0] and precision == 'fp32'
    return not case.gpu


def missing(args: argparse.Namespace) -> str | None:
    """What of the hardware that was asked for is not there, None if all is."""
    if args.device == 'cuda' and not torch.cuda.is_available():
        return 'there is no CUDA device'
    if args.device == 'cpu' and args.precision == ['bf16'] and not onednn_has_bf16():
        return 'this CPU has no bfloat16 instructions'
    return None


def run(job: Job) -> dict:
    """Measure in a process of its own; peak memory in one for each side.

    Raises:
        GLIPError: It cannot be measured, or its process was killed.
    """
    if job.what.kind == 'memory' and not job.profile and job.side is None:
        sides = ('mmdet', 'ours')
        return records.joined(run(replace(job, side=side)) for side in sides)
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as process:
        try:
            return process.submit(worker.work, job).result()
        except BrokenProcessPool:
            raise GLIPError(f'{job.case}: its process was killed') from None


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Measure and print tables, or list the cases."""
    if args.list:
        for case in CASES.values():
            print(f'{case.name:20} {case.title}')
        return
    jobs = jobs_of(args)
    if lack := missing(args):
        print(f'skipped: {lack}')
        return
    records.load(args.results)  # unreadable ones are told before, not after
    done = []
    for job in jobs:
        done.append(run(job))
        records.add(args.results, done[-1])
    print('\n'.join(['', *tables.report(done)]))


if __name__ == '__main__':
    sys.exit(main())
