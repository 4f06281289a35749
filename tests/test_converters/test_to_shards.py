import json
import os
import tarfile
from pathlib import Path

import coco_folder
import pytest

from glip.datasets.converters.from_coco import coco_to_odvg
from glip.datasets.converters.to_shards import odvg_to_shards
from glip.errors import DatasetError


@pytest.fixture
def records(tmp_path: Path) -> Path:
    coco = coco_folder.write(tmp_path / 'coco', num_images=5)
    coco_to_odvg(coco, tmp_path / 'a.jsonl')
    return tmp_path / 'a.jsonl'


def test_pictures_and_records_side_by_side(records: Path, tmp_path: Path):
    pictures = tmp_path / 'coco'
    (pictures / '3.png').unlink()
    result = odvg_to_shards(
        records, pictures, tmp_path / 'out', name='sbu', shard_size=2
    )
    assert sorted(os.listdir(tmp_path / 'out')) == ['sbu-000000.tar', 'sbu-000001.tar']
    assert result.written == {'records': 4, 'files': 2}
    assert '1 records of pictures that cannot be read (3.png)' in result.lines()[-1]
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    with tarfile.open(tmp_path / 'out' / 'sbu-000001.tar') as tar:
        assert tar.getnames() == [
            '000000002.png',
            '000000002.json',
            '000000003.png',
            '000000003.json',
        ]
        assert tar.extractfile('000000003.png').read() == (
            (pictures / '4.png').read_bytes()
        )
        assert json.load(tar.extractfile('000000003.json')) == lines[4]


def test_bad_input_is_one_line(records: Path, tmp_path: Path):
    pictures, out = tmp_path / 'coco', tmp_path / 'out'
    with pytest.raises(DatasetError, match='absent'):
        odvg_to_shards(records, tmp_path / 'absent', out)
    with pytest.raises(DatasetError, match='^0 records'):
        odvg_to_shards(records, pictures, out, shard_size=0)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DatasetError, match='nothing.*5 records'):
        odvg_to_shards(records, tmp_path / 'empty', out)
    records.write_text('{"filename": "0.png"}\n')
    with pytest.raises(DatasetError, match='line 1'):
        odvg_to_shards(records, pictures, out)
    assert not out.exists() or not os.listdir(out)


def test_old_files_are_not_mixed_with_new_ones(records: Path, tmp_path: Path):
    odvg_to_shards(records, tmp_path / 'coco', tmp_path / 'out')
    with pytest.raises(DatasetError, match='train-000000.tar'):
        odvg_to_shards(records, tmp_path / 'coco', tmp_path / 'out')


def test_names_that_no_file_can_have_are_counted(records: Path, tmp_path: Path):
    lines = records.read_text().replace('0.png', r'\u0000').replace('1.png', r'\ud800')
    records.write_text(lines)
    result = odvg_to_shards(records, tmp_path / 'coco', tmp_path / 'out')
    assert result.written['records'] == 3


def test_only_pictures_below_the_folder_are_packed(records: Path, tmp_path: Path):
    pictures = tmp_path / 'coco'
    (tmp_path / 'secret.png').write_bytes((pictures / '0.png').read_bytes())
    (pictures / 'deeper').mkdir()
    names = {
        '0.png': str(tmp_path / 'secret.png'),
        '1.png': '../secret.png',
        '2.png': 'deeper/../../secret.png',
        '3.png': 'deeper/../3.png',
        '4.png': str(pictures / '4.png'),
    }
    text = records.read_text()
    for old, new in names.items():
        text = text.replace(f'"{old}"', json.dumps(new))
    records.write_text(text)
    result = odvg_to_shards(records, pictures, tmp_path / 'out')
    assert result.written['records'] == 2
    assert '3 records of pictures outside their folder' in result.lines()[-1]
    with tarfile.open(tmp_path / 'out' / 'train-000000.tar') as tar:
        first = tar.extractfile('000000000.png').read()
    assert first == (pictures / '3.png').read_bytes()


def test_a_folder_that_all_records_lead_out_of(records: Path, tmp_path: Path):
    line = json.loads(records.read_text().splitlines()[0])
    records.write_text('\n'.join([json.dumps(line | {'filename': '../a.png'})] * 20))
    with pytest.raises(DatasetError, match='none of the first 16.*not below'):
        odvg_to_shards(records, tmp_path / 'coco', tmp_path / 'out')
