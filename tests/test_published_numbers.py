"""Published numbers that stand in several tables are the same in all of them."""

import re
from pathlib import Path

import yaml

_ROOT = Path(__file__).resolve().parent.parent


def _rows(page: str, heading: str) -> dict[str, list[str]]:
    """Cells of the first table after ``heading``, by the first cell of each row.

    Marks of footnotes and emphasis are left out.
    """
    text = (_ROOT / page).read_text(encoding='utf-8')
    assert heading in text, f'{page} lacks {heading!r}'
    table = re.search(r'(?:^\|.*\n)+', text.split(heading, 1)[1], flags=re.MULTILINE)
    lines = [
        [re.sub(r' ?\[\d+\]|[*`]', '', cell).strip() for cell in line.split('|')[1:-1]]
        for line in table[0].splitlines()[2:]
    ]
    return {line[0]: line[1:] for line in lines}


def _coco_of_the_metafile() -> dict[str, str]:
    """COCO AP by the name of the model, where one is published."""
    text = (_ROOT / 'configs/glip/metafile.yml').read_text()
    return {
        model['Alias']: str(result['Metrics']['box AP'])
        for model in yaml.safe_load(text)['Models']
        for result in model.get('Results', [])
        if result['Dataset'] == 'COCO'
    }


def test_coco():
    readme = _rows('README.md', '## Models')
    zoo = _rows('docs/model_zoo.md', '## COCO val2017')
    assert len(readme) == 10
    by_mmdetection = {name: cells[1] for name, cells in readme.items()}
    assert by_mmdetection == {name: cells[2] for name, cells in zoo.items()}
    assert by_mmdetection == _coco_of_the_metafile()
    by_weights = {
        name.split()[0]: cells[1].split()[0]
        for name, cells in _rows('docs/checkpoints.md', '## The zoo').items()
        if name != 'glip-nano'
    }
    assert by_mmdetection == by_weights
    by_authors = {name: cells[2].split()[0] for name, cells in readme.items()}
    assert by_authors == {name: cells[3] for name, cells in zoo.items()}
    assert [cells[-1] for cells in readme.values()] == [c[-1] for c in zoo.values()]


def test_zero_shot():
    readme = _rows('README.md', 'Also zero-shot')
    assert len(readme) == 5
    lvis = _rows('docs/model_zoo.md', '## LVIS, zero-shot')
    odinw = _rows('docs/model_zoo.md', 'AP of each set and the mean')['mean']
    for place, (model, cells) in enumerate(readme.items()):
        row = lvis[model]
        assert cells[0] == f'{row[0]} / {row[1]}'
        assert cells[1] == f'{row[4]} / {row[5]}'
        assert cells[3] == odinw[place]


def test_flickr30k():
    readme = _rows('README.md', 'Also zero-shot')
    text = (_ROOT / 'docs/model_zoo.md').read_text(encoding='utf-8')
    section = text.split('## Flickr30k Entities')[1].split('\n## ')[0]
    of_authors = [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in section.splitlines()
        if line.startswith('| GLIP') and 'authors (paper)' in line
    ]
    # GLIP-T of the paper has captions of its own, and the first of its two rows.
    recall = {}
    for model, _, *cells in of_authors:
        recall.setdefault(model.removesuffix(', Cap4M'), ' / '.join(cells[:3]))
    assert recall == {model: cells[2] for model, cells in readme.items()}
