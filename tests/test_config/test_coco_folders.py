"""Sets are found in a folder by their layouts."""

import json

import coco_folder
import pytest
import set_folders

from glip.config.coco_folders import find_sets
from glip.errors import DatasetError


@pytest.fixture
def folder(tmp_path):
    return set_folders.write(tmp_path / 'mine')


def files(found):
    return {s.name: (s.split, s.ann_file, s.img) for s in found}


def test_three_layouts(folder):
    found = find_sets(folder)
    assert files(found) == {
        'coco': ('val', 'annotations/instances_val2017.json', 'val2017'),
        'ours': ('val', 'valid/annotations.json', 'valid'),
        'roboflow': ('val', 'valid/_annotations.coco.json', 'valid'),
    }
    assert [s.root for s in found] == [str(folder / s.name) for s in found]
    assert all((folder / s.path).is_file() for s in found)


def test_sets_without_the_split_are_said_to_lack_it(folder):
    found = files(find_sets(folder, 'test'))
    assert found['roboflow'] == ('test', 'test/_annotations.coco.json', 'test')
    assert found['ours'] == (None, 'test/annotations.json', 'test')
    found = files(find_sets(folder, ['test', 'val']))
    assert [split for split, *_ in found.values()] == ['val', 'val', 'test']
    # By the name of its folder as well as by the usual one.
    assert files(find_sets(folder, 'valid'))['ours'][1] == 'valid/annotations.json'


def test_a_folder_may_be_a_set(folder):
    (found,) = find_sets(folder / 'ours')
    assert (found.name, found.root) == ('ours', str(folder / 'ours'))


def test_deeper_sets_are_named_by_what_tells_them_apart(tmp_path):
    places = {
        'Raccoon': 'Raccoon/Raccoon.v2-raw.coco',
        'Drone_large': 'Drone/large',
        'Drone_tiled': 'Drone/tiled',
        'a_b_c': 'a/b/c',
        'a_b_d': 'a/b/d',
    }
    for place in places.values():
        file = coco_folder.write(tmp_path / place / 'valid', num_images=1)
        file.rename(file.with_name('annotations_without_background.json'))
    coco_folder.write(tmp_path / 'too/deep/for/it' / 'valid', num_images=1)
    found = {s.name: s.root for s in find_sets(tmp_path)}
    assert found == {name: str(tmp_path / place) for name, place in places.items()}


def test_exports_with_all_pictures_in_one_folder(tmp_path):
    home = tmp_path / 'pistols' / 'export'
    file = coco_folder.write(home)
    file.rename(home / 'val_annotations_without_background.json')
    (found,) = find_sets(tmp_path)
    assert (found.ann_file, found.img) == (
        'val_annotations_without_background.json',
        '',
    )


def test_other_splits_and_pictures_below_images(tmp_path):
    coco_folder.write(tmp_path / 'eggs' / 'mini_val')
    assert find_sets(tmp_path, 'mini_val')[0].img == 'mini_val'
    home = tmp_path / 'faces'
    for name in ('annotations', 'images/val2017'):
        (home / name).mkdir(parents=True)
    (home / 'annotations' / 'custom_val.json').write_text(json.dumps({}))
    (home / 'annotations' / 'grounding_val2017.json').write_text(json.dumps({}))
    found = files(find_sets(tmp_path, 'val'))['faces']
    assert found == ('val', 'annotations/custom_val.json', 'images')


def test_wrong_and_empty_folders(tmp_path):
    with pytest.raises(DatasetError, match='none is not there; set it by') as error:
        find_sets(tmp_path / 'none')
    assert str(tmp_path) in str(error.value)
    (tmp_path / 'pictures').mkdir()
    with pytest.raises(DatasetError, match='no data set in COCO format in') as error:
        find_sets(tmp_path)
    assert 'valid/annotations.json' in str(error.value)
