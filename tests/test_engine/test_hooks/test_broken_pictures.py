"""The list of skipped pictures at the end of a training."""

from types import SimpleNamespace

import pytest
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from glip.datasets.broken_pictures import BrokenPictures
from glip.engine.hooks import BrokenPicturesHook
from glip.engine.hooks.broken_pictures import list_broken_pictures
from glip.errors import DatasetError


def part(*messages):
    broken = BrokenPictures('f.json', 10)
    for message in messages:
        broken.add(message, 100)
    return SimpleNamespace(broken=broken)


def run(tmp_path, dataset):
    runner = SimpleNamespace(
        _train_loop=SimpleNamespace(dataloader=DataLoader(dataset)),
        _val_loop=None,
        work_dir=str(tmp_path),
        logger=MMLogger.get_instance('test_broken_pictures'),
    )
    BrokenPicturesHook().after_train(runner)
    file = tmp_path / 'broken_pictures.txt'
    return file.read_text().splitlines() if file.exists() else None


def test_pictures_of_mixed_and_repeated_sets_are_listed(tmp_path):
    repeated = SimpleNamespace(dataset=part('c.jpg: gone', 'b.jpg: empty'))
    first = part('b.jpg: empty', 'a.jpg: cut off\nin two')
    dataset = SimpleNamespace(datasets=[first, repeated, object(), part()])
    assert run(tmp_path, dataset) == [
        'a.jpg: cut off in two',
        'b.jpg: empty',
        'c.jpg: gone',
    ]


def test_no_list_where_nothing_is_broken(tmp_path):
    assert run(tmp_path, part()) is None
    assert run(tmp_path, object()) is None


def test_too_many_are_an_error():
    broken = BrokenPictures('f.json', 1)
    broken.add('a', 9)
    broken.add('a', 9)
    with pytest.raises(DatasetError, match=r'2 of the 9 pictures of f\.json'):
        broken.add('b', 9)
    with pytest.raises(DatasetError, match='1 of the 1 pictures'):
        BrokenPictures('f.json', 5).add('a', 1)


def test_before_there_is_a_loader(tmp_path):
    runner = SimpleNamespace(
        _train_loop={'type': 'x'}, _val_loop=None, work_dir=str(tmp_path)
    )
    list_broken_pictures(runner)
    assert not list(tmp_path.iterdir())
