"""Names of pictures as tools write them."""

import pytest

from glip.datasets.picture_files import PictureFiles


@pytest.mark.parametrize(
    ('file', 'name'),
    [
        ('images/a b.jpg', 'images/a b.jpg'),
        ('images/a b.jpg', 'images\\a b.jpg'),
        ('images/a b.jpg', 'images/a%20b.jpg'),
        ('images/a b.jpg', 'images%5Ca%20b.jpg'),
        ('images/a b.jpg', 'C:\\data\\images\\a b.jpg'),
        ('a b.jpg', 'C:\\data\\images\\a b.jpg'),
        ('images/a b.jpg', 'file:///images/a%20b.jpg'),
        ('M\xfcll.jpg', 'Mu\u0308ll.jpg'),
        ('Mu\u0308ll.jpg', 'M\xfcll.jpg'),
        ('100%25.jpg', '100%25.jpg'),  # a name that is there is no escape
        ('a\\b.jpg', 'a\\b.jpg'),
    ],
)
def test_names_that_stand_for_a_file(tmp_path, file, name):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b'x')
    files = PictureFiles(str(tmp_path))
    assert files.settle(['absent.jpg', name])
    assert files.path_of(name) == str(path)


def test_names_of_one_file_may_be_of_several_kinds(tmp_path):
    for name in ('plain.jpg', 'a b.jpg'):
        (tmp_path / name).write_bytes(b'x')
    files = PictureFiles(str(tmp_path))
    assert files.settle(['plain.jpg'])
    assert files.path_of('a%20b.jpg') == str(tmp_path / 'a b.jpg')


def test_folders_that_are_not_there(tmp_path):
    files = PictureFiles(str(tmp_path))
    assert not files.settle(['x/y/a.jpg'])
    assert files.path_of('x/y/a.jpg') == str(tmp_path / 'x/y/a.jpg')
    assert files.header('x/y/a.jpg') is None
    assert PictureFiles('s3://bucket').settle(['a.jpg'])
