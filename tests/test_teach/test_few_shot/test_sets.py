"""Data of few-shot runs is found with all its splits."""

import shutil
from pathlib import Path

import coco_folder
import pytest
import set_folders
from mmengine.config import Config

from glip.errors import ConfigError, DatasetError
from glip.paths import config_root
from glip.teach.few_shot.sets import few_shot_sets


def make_set(folder, splits=('train', 'valid', 'test')):
    for split in splits:
        coco_folder.write(folder / split, num_images=2)
    return folder


def test_a_folder_of_sets_and_a_set(tmp_path):
    make_set(tmp_path / 'many' / 'one')
    make_set(tmp_path / 'many' / 'two', ('train', 'valid'))
    make_set(tmp_path / 'alone')
    sets, left_out = few_shot_sets([str(tmp_path / 'many'), str(tmp_path / 'alone')])
    assert [s.name for s in sets] == ['one', 'two', 'alone']
    assert not left_out
    one, two, _ = sets
    assert Path(one.train.path) == tmp_path / 'many/one/train/annotations.json'
    assert Path(one.val.path) == tmp_path / 'many/one/valid/annotations.json'
    assert one.tested.split == 'test' and one.tested is one.test
    assert two.test is None and two.tested is two.val


def test_sets_of_one_name_are_told_apart(tmp_path):
    folders = [str(make_set(tmp_path / where / 'birds')) for where in ('old', 'new')]
    names = [s.name for s in few_shot_sets(folders)[0]]
    assert names == ['old_birds', 'new_birds']
    with pytest.raises(ConfigError):
        few_shot_sets([folders[0], folders[0]])


def test_what_is_missing_is_one_line_or_left_out(tmp_path):
    make_set(tmp_path / 'whole')
    make_set(tmp_path / 'untested', ('train',))
    make_set(tmp_path / 'unlearnt', ('valid',))
    with pytest.raises(DatasetError, match='unlearnt') as error:
        few_shot_sets([str(tmp_path)])
    assert '\n' not in str(error.value)
    sets, left_out = few_shot_sets([str(tmp_path)], skip_missing=True)
    assert [s.name for s in sets] == ['whole'] and len(left_out) == 2
    with pytest.raises(DatasetError):  # nothing is left
        few_shot_sets([str(tmp_path / 'untested')], skip_missing=True)
    nowhere = str(tmp_path / 'nowhere')
    with pytest.raises(DatasetError, match='nowhere'):
        few_shot_sets([str(tmp_path / 'whole'), nowhere])
    with pytest.raises(DatasetError, match='nowhere'):
        few_shot_sets([nowhere], skip_missing=True)
    sets, left_out = few_shot_sets(
        [str(tmp_path / 'whole'), nowhere], skip_missing=True
    )
    assert [s.name for s in sets] == ['whole'] and 'nowhere' in left_out[0]
    with pytest.raises(ConfigError):
        few_shot_sets([])


def test_odinw_by_name(tmp_path):
    """Validation is what the config evaluates; other splits lie beside it."""
    listed = Config.fromfile(config_root() / '_base_/datasets/odinw35.py')
    entries = {e.name: e for e in listed.custom_data.test}
    chosen = [entries[name] for name in ('Aquarium', 'pistols', 'DroneControl')]
    set_folders.odinw(tmp_path, chosen)
    splits = {'Aquarium': ('train', 'test'), 'DroneControl': ('train',)}
    for name, others in splits.items():
        home = tmp_path / entries[name].img
        for split in others:
            shutil.copytree(home, home.parent / split)
    exported = tmp_path / entries['pistols'].img
    val = exported / 'val_annotations_without_background.json'
    shutil.copy(val, exported / 'train_annotations_without_background.json')
    custom = {'data_root': str(tmp_path)}
    sets, left_out = few_shot_sets(['odinw35'], custom, skip_missing=True)
    assert [s.name for s in sets] == ['Aquarium', 'DroneControl', 'pistols']
    assert len(left_out) == 32
    aquarium, drone, pistols = sets
    assert aquarium.train.classes == tuple(entries['Aquarium'].classes)
    assert aquarium.train.caption_prompt is None
    assert aquarium.test.split == 'test'
    assert '/mini_val/' in drone.val.path and drone.test is None
    assert '/train/' in drone.train.path
    assert Path(pistols.train.path).parent == exported
    with pytest.raises(DatasetError, match='AerialMaritimeDrone'):
        few_shot_sets(['odinw35'], custom)
    custom['use_caption_prompt'] = True
    sets, _ = few_shot_sets(['odinw13'], custom, skip_missing=True)
    assert sets[0].train.caption_prompt['stingray'].suffix == (
        ' which is flat and round'
    )


def test_the_config_may_name_the_data(tmp_path):
    make_set(tmp_path)
    custom = {
        'data_root': str(tmp_path),
        'train': {'ann_file': 'train/annotations.json'},
        'val': {'ann_file': 'valid/annotations.json', 'name': 'colours'},
    }
    ((only,), _) = few_shot_sets([], custom)
    assert only.test is None and only.val.path.endswith('valid/annotations.json')
    custom['test'] = 'test/annotations.json'
    ((only,), _) = few_shot_sets([], custom)
    assert only.tested.path.endswith('test/annotations.json')
    with pytest.raises(DatasetError):
        few_shot_sets([], {**custom, 'val': None})


def test_a_change_of_annotations_is_noticed(tmp_path):
    make_set(tmp_path)
    ((only,), _) = few_shot_sets([str(tmp_path)])
    before = only.fingerprint()
    assert only.fingerprint() == before
    Path(only.val.path).write_text('{}')
    assert only.fingerprint() != before
