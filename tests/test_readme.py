"""What README tells a newcomer to type works as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import coco_folder
import pytest
from mmengine.config import Config

_ROOT = Path(__file__).resolve().parent.parent
_README = _ROOT / 'README.md'
_FENCE = re.compile(
    r'^(?:<!-- not run: (?P<reason>[^\n]*?) ?-->\n)?```(?P<language>\w*)\n'
    r'(?P<code>.*?)^```$',
    flags=re.DOTALL | re.MULTILINE,
)
# What README says that a script writes, by script.
_WRITTEN = {
    'demo/image_demo.py': ['outputs/vis/demo.jpg', 'outputs/preds/demo.json'],
    'tools/train.py': ['work_dirs/raccoon/curves.png', 'work_dirs/raccoon/best_*.pth'],
}


class Block(NamedTuple):
    """A fenced block: its line, its language, its code, and why it is not run."""

    line: int
    language: str
    code: str
    reason: str | None

    @property
    def file(self) -> str | None:
        """Name of the config that the block shows, given in its first line."""
        name = re.match(r'# (\w+\.py)\n', self.code)
        return name and name[1]


def _blocks() -> list[Block]:
    text = _README.read_text(encoding='utf-8')
    return [
        Block(
            text.count('\n', 0, m.start('code')), m['language'], m['code'], m['reason']
        )
        for m in _FENCE.finditer(text)
    ]


def _to_run(language: str) -> list:
    # A training takes a minute.
    slow = {True: pytest.mark.slow, False: ()}
    return [
        pytest.param(
            block, id=f'line {block.line}', marks=slow['tools/train.py' in block.code]
        )
        for block in _blocks()
        if block.language == language and block.reason is None and not block.file
    ]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Folder with the scripts and configs of a checkout, README's files and data."""
    folder = tmp_path_factory.mktemp('readme')
    for name in ('configs', 'demo', 'tools'):
        shutil.copytree(_ROOT / name, folder / name)
    for part, num_images in (('train', 4), ('valid', 2)):
        coco_folder.write(folder / 'data' / 'raccoon' / part, num_images=num_images)
    for block in _blocks():
        if block.file:
            (folder / block.file).write_text(block.code)
    yield folder
    shutil.rmtree(folder / 'work_dirs', ignore_errors=True)  # half a gigabyte


def _run(command: list[str], folder: Path) -> None:
    """Run a command in ``folder`` with this Python, and fail with what it printed."""
    env = dict(
        os.environ,
        PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']]),
        PYTHONPATH=os.pathsep.join([str(_ROOT), os.environ.get('PYTHONPATH', '')]),
        MPLBACKEND='agg',
    )
    done = subprocess.run(
        command,
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
    )
    assert done.returncode == 0, done.stdout


def test_every_block_is_run_or_says_why_not():
    blocks = _blocks()
    fences = re.findall(r'^ *(?:```|~~~)', _README.read_text(), flags=re.MULTILINE)
    assert len(fences) == 2 * len(blocks)  # none has a form that is passed over here
    for block in blocks:
        assert block.language in ('bash', 'python'), f'line {block.line}'
        assert block.reason != '', f'line {block.line}'
    assert _to_run('python')
    code = ''.join(block.code for block in blocks if not block.reason)
    assert all(script in code for script in _WRITTEN)


@pytest.mark.parametrize(
    'block', [pytest.param(b, id=b.file) for b in _blocks() if b.file]
)
def test_config(block, folder):
    cfg = Config.fromfile(folder / block.file)
    assert cfg.model.type == 'GLIP'
    assert Path(folder / cfg.custom_data.data_root / cfg.custom_data.train).is_file()


@pytest.mark.parametrize('block', _to_run('python'))
def test_python(block, folder):
    _run([sys.executable, '-c', block.code], folder)


@pytest.mark.skipif(shutil.which('bash') is None, reason='needs bash')
@pytest.mark.parametrize('block', _to_run('bash'))
def test_bash(block, folder):
    _run(['bash', '-euc', block.code], folder)
    for script in filter(block.code.__contains__, _WRITTEN):
        for pattern in _WRITTEN[script]:
            assert list(folder.glob(pattern)), pattern
