import json
import os
import stat
from pathlib import Path

import pytest

from glip.datasets.converters.output import (
    CocoWriter,
    atomic_text,
    check_distinct,
    compact_json,
)
from glip.errors import DatasetError


def test_file_appears_when_it_is_complete(tmp_path: Path):
    path = tmp_path / 'new' / 'a.json'
    with atomic_text(path) as file:
        file.write('half')
        file.flush()
        assert not path.exists()
        file.write(' and half')
    assert path.read_text() == 'half and half'
    assert os.listdir(path.parent) == ['a.json']
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
def test_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error):
    path = tmp_path / 'a.json'
    path.write_text('old')
    with pytest.raises(error), atomic_text(path) as file:
        file.write('new')
        raise error
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a.json']


def test_refuses_to_write_what_is_read(tmp_path: Path):
    path = tmp_path / 'a.json'
    path.write_text('content')
    os.symlink(path, tmp_path / 'soft')
    os.link(path, tmp_path / 'hard')
    for name in ('a.json', '../' + tmp_path.name + '/a.json', 'soft', 'hard'):
        with pytest.raises(DatasetError, match=Path(name).name):
            with atomic_text(tmp_path / name, inputs=[path]):
                pass
    assert path.read_text() == 'content'


def test_refuses_folders_and_equal_names(tmp_path: Path):
    with pytest.raises(DatasetError, match='folder'), atomic_text(tmp_path):
        pass
    with pytest.raises(DatasetError, match='two'):
        check_distinct([tmp_path / 'a', tmp_path / 'b' / '..' / 'a'])


def test_unwritable_place_is_one_line(tmp_path: Path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(DatasetError, match='folder'):
        with atomic_text(tmp_path / 'file' / 'a.json'):
            pass
    with pytest.raises(DatasetError, match='folder/a.json'):
        with atomic_text(tmp_path / 'file' / 'folder' / 'a.json'):
            pass


def test_unreadable_source_is_not_called_unwritable(tmp_path: Path):
    with pytest.raises(DatasetError, match='absent') as stop:
        with atomic_text(tmp_path / 'a.json'):
            (tmp_path / 'absent').open()
    assert 'a.json' not in str(stop.value)


def test_a_link_is_replaced(tmp_path: Path):
    (tmp_path / 'real').write_text('old')
    os.symlink('real', tmp_path / 'link')
    with atomic_text(tmp_path / 'link') as file:
        file.write('new')
    assert (tmp_path / 'link').read_text() == 'new'
    assert (tmp_path / 'real').read_text() == 'old'


def test_a_pipe_is_refused(tmp_path: Path):
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(DatasetError, match='pipe cannot be written'):
        with atomic_text(tmp_path / 'pipe'):
            pass
    assert stat.S_ISFIFO((tmp_path / 'pipe').stat().st_mode)


def test_json_survives_broken_unicode_and_refuses_nan(tmp_path: Path):
    with atomic_text(tmp_path / 'a.json') as file:
        file.write(compact_json({'caption': 'caf\u00e9 \ud83d'}))
    assert json.loads((tmp_path / 'a.json').read_text())['caption'] == 'café \ud83d'
    with pytest.raises(DatasetError, match='finite'):
        compact_json(float('nan'))


def test_coco_writer(tmp_path: Path):
    path = tmp_path / 'a.json'
    with CocoWriter(path, {'categories': [{'id': 1, 'name': 'a'}]}) as writer:
        for number in range(3):
            writer.add_image({'id': number})
            writer.add_annotation({'image_id': number})
    assert json.loads(path.read_text()) == {
        'categories': [{'id': 1, 'name': 'a'}],
        'images': [{'id': 0}, {'id': 1}, {'id': 2}],
        'annotations': [{'id': i + 1, 'image_id': i} for i in range(3)],
    }


def test_coco_writer_without_content_and_with_error(tmp_path: Path):
    with CocoWriter(tmp_path / 'empty.json', {}):
        pass
    content = json.loads((tmp_path / 'empty.json').read_text())
    assert content == {'images': [], 'annotations': []}
    with pytest.raises(RuntimeError), CocoWriter(tmp_path / 'a.json', {}) as writer:
        writer.add_image({'id': 1})
        raise RuntimeError
    assert os.listdir(tmp_path) == ['empty.json']
