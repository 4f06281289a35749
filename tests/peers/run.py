"""Run the tests of mmcv or mmdetection for all that glip stands in for.

``python tests/peers/run.py CHECKOUT [--table FILE]`` takes a checkout of either
(https://github.com/open-mmlab/mmcv, https://github.com/open-mmlab/mmdetection, or a
fork), runs its tests with ``mmcv._ext`` served by glip, and gives a Markdown table.
What mmcv tests on a GPU only is rewritten to the CPU in a copy. The exit code is 1
where a failure went through glip's code. By hand and nightly, as it needs the checkout.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from glip.errors import ConfigError
from glip.runtime.command import command

_ROOT = Path(__file__).resolve().parents[2]
# Package: group -> test files and folders below the checkout.
GROUPS = {
    'mmcv': {
        'nms, soft_nms, nms_match': ('tests/test_ops/test_nms.py',),
        'roi_align': ('tests/test_ops/test_roi_align.py',),
        'roi_pool': ('tests/test_ops/test_roi_pool.py',),
        'deform_conv': ('tests/test_ops/test_deform_conv.py',),
        'modulated_deform_conv': ('tests/test_ops/test_modulated_deform_conv.py',),
        'focal_loss': ('tests/test_ops/test_focal_loss.py',),
        'ms_deform_attn': ('tests/test_ops/test_ms_deformable_attn.py',),
        'wrappers and info': (
            'tests/test_ops/test_info.py',
            'tests/test_ops/test_wrappers.py',
        ),
    },
    'mmdet': {
        'dense heads': ('tests/test_models/test_dense_heads',),
        'detectors': ('tests/test_models/test_detectors',),
        'RoI heads': ('tests/test_models/test_roi_heads',),
        'backbones and necks': (
            'tests/test_models/test_backbones',
            'tests/test_models/test_necks',
        ),
        'evaluation': ('tests/test_evaluation',),
        'data sets': ('tests/test_datasets',),
    },
}
_TO_CPU = (
    (r'\.cuda\(\)', '.cpu()'),
    (r"""(['"])cuda(?::0)?\1""", r'\1cpu\1'),
    (r'torch\.cuda\.is_available\(\)', 'True'),
    (r'\bnot IS_CUDA_AVAILABLE\b', 'False'),
    (r'\bif IS_CUDA_AVAILABLE\b', 'if True'),
    # A numerical Jacobian of 2 GB, several times over and column by column.
    (r'(?m)^    1025,\n', ''),
)
# Before anything of the tests is imported, as a user's script would.
_PYTEST = 'import sys, glip, pytest; sys.exit(pytest.main(sys.argv[1:]))'
_OURS = re.compile(r'\bglip[/\\.]|torchvision has nothing in place of')


@dataclass
class Counts:
    """What became of the tests of a group.

    Attributes:
        failures: Name of a test -> the last line of its message.
        through_glip: Those whose traceback has code of glip in it.
    """

    passed: int = 0
    skipped: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    through_glip: list[str] = field(default_factory=list)


def package_of(checkout: Path) -> str:
    """Which of the packages a folder is a checkout of.

    Raises:
        ConfigError: Of none.
    """
    for package, groups in GROUPS.items():
        paths = [path for group in groups.values() for path in group]
        if any((checkout / path).exists() for path in paths):
            return package
    raise ConfigError(
        f'{checkout} has no tests of mmcv (tests/test_ops) or mmdetection '
        '(tests/test_models): give the folder of a git checkout, as packages leave '
        'their tests out'
    )


def run_group(checkout: Path, paths: Sequence[str], folder: Path) -> Counts:
    """Run tests in a process of their own.

    Args:
        checkout: Imported from first; also where the tests run, as they name files.
        paths: Of the tests, below ``checkout``; those that are not there are left out.
        folder: For the report.
    """
    there = [path for path in paths if (checkout / path).exists()]
    if not there:
        return Counts()
    report = folder / 'report.xml'
    report.unlink(missing_ok=True)
    search = os.pathsep.join([str(checkout), str(_ROOT)])
    done = subprocess.run(
        [
            *(sys.executable, '-c', _PYTEST, *there, '-q'),
            *('-p', 'no:cacheprovider', f'--junitxml={report}'),
        ],
        cwd=checkout,
        env=os.environ | {'PYTHONPATH': search, 'PYTHONDONTWRITEBYTECODE': '1'},
        capture_output=True,
        text=True,
    )
    if done.returncode < 0:  # of this group alone, the others go on
        cause = f'pytest was ended by signal {-done.returncode}'
        return Counts(failures={' '.join(there): cause})
    if not report.is_file():
        lines = (done.stderr or done.stdout).strip().splitlines() or ['no output']
        raise ConfigError(f'pytest did not run in {checkout}: {lines[-1]}')
    return read_report(report)


def read_report(report: Path) -> Counts:
    """Count what a JUnit file lists."""
    counts = Counts()
    for case in ElementTree.parse(report).getroot().iter('testcase'):
        problem = case.find('failure')
        problem = case.find('error') if problem is None else problem
        name = f'{case.get("classname", "").rpartition(".")[2]}::{case.get("name")}'
        if problem is not None:
            text = problem.text or ''
            message = (problem.get('message') or text).strip().splitlines() or ['']
            counts.failures[name] = message[0][:200]
            if _OURS.search(text):
                counts.through_glip.append(name)
        elif case.find('skipped') is not None:
            counts.skipped += 1
        else:
            counts.passed += 1
    return counts


def on_the_cpu(checkout: Path, folder: Path) -> Path:
    """A copy of the tests in which a GPU is the CPU.

    mmcv's Python code, which the tests import, is reached by a link.
    """
    copy = folder / 'checkout'
    shutil.copytree(checkout / 'tests', copy / 'tests')
    if (checkout / 'mmcv').is_dir():
        (copy / 'mmcv').symlink_to((checkout / 'mmcv').resolve())
    for path in (copy / 'tests' / 'test_ops').glob('test_*.py'):
        text = path.read_text(encoding='utf-8')
        for pattern, replacement in _TO_CPU:
            text = re.sub(pattern, replacement, text)
        path.write_text(text, encoding='utf-8')
    return copy


def table(rows: dict[str, Counts]) -> Iterator[str]:
    """Lines of Markdown."""
    yield '| tests of | passed | failed | of it through glip | skipped |'
    yield '|---|---|---|---|---|'
    for name, counts in rows.items():
        numbers = (
            *(counts.passed, len(counts.failures)),
            *(len(counts.through_glip), counts.skipped),
        )
        yield f'| {name} | {" | ".join(map(str, numbers))} |'
    for counts in rows.values():
        for test, message in counts.failures.items():
            mark = ' (through glip)' if test in counts.through_glip else ''
            yield f'\n- `{test}`{mark}: {message}'


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkout', type=Path, help='folder of a git checkout')
    parser.add_argument('--table', type=Path, help='write the table here as well')
    parser.add_argument('--only', help='groups whose name contains this')
    return parser.parse_args(argv)


@command(parse_args)
def main(args: argparse.Namespace) -> int:
    """Run all groups and show the table."""
    checkout = args.checkout.resolve()
    package = package_of(checkout)
    rows: dict[str, Counts] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place = on_the_cpu(checkout, folder) if package == 'mmcv' else checkout
        for group, paths in GROUPS[package].items():
            if (args.only or '') in group:
                rows[group] = run_group(place, paths, folder)
    text = '\n'.join(table(rows))
    print(text)
    if args.table:
        args.table.write_text(text + '\n', encoding='utf-8')
    return int(any(counts.through_glip for counts in rows.values()))


if __name__ == '__main__':
    sys.exit(main())
