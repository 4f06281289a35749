"""Files appear whole, and nothing else is overwritten."""

import os
import stat

import pytest

from glip.runtime.atomic import atomic_write


def write(path, text='new', **options):
    with atomic_write(path, **options) as temporary:
        temporary.write_text(text)


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / 'a.json'
    with atomic_write(path) as temporary:
        temporary.write_text('new')
        assert not path.exists()
        assert temporary.parent == tmp_path  # renaming works within a file system
    assert path.read_text() == 'new'
    assert os.listdir(tmp_path) == ['a.json']


@pytest.mark.parametrize('error', [OSError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file(tmp_path, error):
    path = tmp_path / 'a.json'
    path.write_text('old')
    with pytest.raises(error), atomic_write(path) as temporary:
        temporary.write_text('half')
        raise error
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a.json']


def test_a_part_of_a_given_name_is_kept_to_go_on(tmp_path):
    path, part = tmp_path / 'w.pth', tmp_path / 'w.pth.part'
    with pytest.raises(OSError), atomic_write(path, part=part) as temporary:
        temporary.write_text('half')
        raise OSError
    assert part.read_text() == 'half' and not path.exists()
    with atomic_write(path, part=part) as temporary, temporary.open('a') as file:
        file.write(' and half')
    assert path.read_text() == 'half and half' and not part.exists()


def test_permissions_stay(tmp_path):
    path = tmp_path / 'a.json'
    write(path)
    (tmp_path / 'usual').write_text('')
    assert path.stat().st_mode == (tmp_path / 'usual').stat().st_mode
    path.chmod(0o640)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='a system without pipes')
def test_devices_and_folders_are_never_replaced(tmp_path):
    pipe, folder = tmp_path / 'pipe', tmp_path / 'folder'
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (pipe, folder):
        with pytest.raises(OSError, match='not a file'):
            write(path)
    assert stat.S_ISFIFO(pipe.stat().st_mode) and folder.is_dir()


def test_a_link_to_a_device_is_replaced_and_the_device_is_not(tmp_path):
    path = tmp_path / 'a.json'
    path.symlink_to(os.devnull)
    write(path)
    assert path.read_text() == 'new' and not path.is_symlink()
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_link_is_replaced_and_what_it_names_is_not(tmp_path):
    here, elsewhere = tmp_path / 'here', tmp_path / 'elsewhere'
    for folder in (here, elsewhere):
        folder.mkdir()
        (folder / 'real').write_text('old')
    (here / 'inside').symlink_to('real')
    (here / 'outside').symlink_to(elsewhere / 'real')
    (here / 'dangling').symlink_to(elsewhere / 'none')
    (here / 'loop').symlink_to('loop')
    for name in ('inside', 'outside', 'dangling', 'loop'):
        write(here / name)
        assert (here / name).read_text() == 'new'
        assert not (here / name).is_symlink()
    assert (here / 'real').read_text() == (elsewhere / 'real').read_text() == 'old'
    assert not (elsewhere / 'none').exists()
