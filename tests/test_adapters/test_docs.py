"""What the page on adapters shows runs as it stands there."""

import os
import re
import shutil
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / 'docs' / 'adapters.md'
# What a section needs to be installed.
_NEEDS = {
    'transformers': [],
    'sahi': ['sahi'],
    'FiftyOne': ['fiftyone', 'mongomock'],
    'CVAT': ['cvat_sdk'],
    'autodistill': ['autodistill.detection'],
}


def _sections() -> dict[str, list[str]]:
    """Section -> its blocks of Python that are not marked as not run."""
    parts = re.split(r'^## (.*)\n', _PAGE.read_text(encoding='utf-8'), flags=re.M)
    block = re.compile(r'(<!-- not run: .*?-->\n)?```python\n(.*?)^```$', re.M | re.S)
    return {
        title: [code for reason, code in block.findall(text) if not reason]
        for title, text in zip(parts[1::2], parts[2::2])
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copytree(_ROOT / 'demo', tmp_path / 'demo')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_section_has_a_block():
    if not _PAGE.is_file():
        pytest.skip('docs/ is not beside the tests')
    sections = _sections()
    assert set(sections) == set(_NEEDS)
    assert all(sections.values())


@pytest.mark.slow
@pytest.mark.parametrize('section', _NEEDS)
def test_blocks(section, folder, monkeypatch):
    for module in _NEEDS[section]:
        pytest.importorskip(module)
    if section == 'FiftyOne':
        from test_adapters.memory_database import use_memory

        use_memory(monkeypatch)
    names = {}
    for block in _sections()[section]:
        exec(block, names)
    if section == 'transformers':
        records = names['detector']('demo/demo.jpg', candidate_labels='dog')
        assert records[0]['label'] == 'dog'
    elif section == 'sahi':
        assert {p.category.name for p in names['result'].object_prediction_list} == {
            'dog',
            'bicycle',
        }
        assert os.path.isfile('outputs/sliced.png')
    elif section == 'FiftyOne':
        labels = [
            thing.label
            for sample in names['dataset']
            for thing in sample.glip.detections
        ]
        assert {'person', 'dog', 'horse'} <= set(labels)
    elif section == 'CVAT':
        labels = names['function'].spec.labels
        assert [label.name for label in labels] == ['animal', 'vehicle']
    else:
        assert len(list(folder.glob('outputs/labelled/*/labels/*.txt'))) == 6
