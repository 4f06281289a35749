"""ODinW-13 and -35: the published sets, names and prompts, evaluated in one run."""

import json
from pathlib import Path

import pytest
import set_folders
import small_evaluation as small
from mmengine.config import Config

from glip.config.custom_data import apply_custom_data
from glip.config.flags import set_test_options
from glip.engine.run import run_test
from glip.registry import DATASETS
from glip.text import TextPrompt

CONFIGS = Path(__file__).parents[2] / 'configs' / 'glip' / 'odinw'
MODELS = ['swin-t_a', 'swin-t_b', 'swin-t_c', 'swin-t', 'swin-l']
# What the original evaluates on mini_val instead of valid.
MINI = {
    *('brackishUnderwater', 'DroneControl', 'EgoHands_generic', 'EgoHands_specific'),
    *('openPoetryVision', 'OxfordPets_by_breed', 'OxfordPets_by_species', 'PKLot'),
    *('UnoCards', 'VehiclesOpenImages', 'websiteScreenshots'),
}
# Classes of each set of ODinW-35, in the order of the config.
COUNTS = [
    *(5, 5, 26, 7, 3, 36, 6, 13, 1, 6, 8, 1, 4, 3, 2, 1, 2, 43, 37, 2),
    *(2, 1, 20, 1, 30, 1, 1, 11, 3, 2, 2, 15, 5, 1, 8),
]


def read(model: str, sets: int, **changes) -> Config:
    name = f'glip_atss_{model}_fpn_dyhead_pretrain_odinw{sets}.py'
    cfg = Config.fromfile(CONFIGS / name)
    cfg.merge_from_dict(changes)
    return cfg


@pytest.mark.parametrize('sets', [13, 35])
@pytest.mark.parametrize('model', MODELS)
def test_each_model_has_all_sets(model, sets):
    cfg = apply_custom_data(read(model, sets))
    assert len(cfg.test_dataloader.dataset.datasets) == sets
    assert len(cfg.test_evaluator.metrics) == sets
    assert cfg.test_evaluator.type == 'MultiDatasetsEvaluator'
    assert cfg.train_dataloader is None and cfg.val_dataloader is None
    assert cfg.model.bbox_head.early_fuse == (model != 'swin-t_a')
    for data in cfg.test_dataloader.dataset.datasets:
        assert data.data_root == 'data/odinw/' and data.test_mode
        assert data.pipeline[1].scale == (800, 1333)
        assert data.get('caption_prompt') is None


def test_the_saved_config_is_the_same():
    cfg = apply_custom_data(read('swin-t', 35))
    saved = Config.fromstring(cfg.dump(), '.py')
    for key in ('test_dataloader', 'test_evaluator'):
        assert saved[key] == cfg[key]


def test_sets_of_35():
    sets = {e.name: e for e in read('swin-t', 35).custom_data.test}
    assert [len(e.classes) for e in sets.values()] == COUNTS
    for name, entry in sets.items():
        assert len(set(entry.classes)) == len(entry.classes)
        split = 'mini_val' if name in MINI else 'valid'
        exported = entry.ann_file.startswith(f'{entry.img}/val_annotations')
        assert exported or entry.ann_file.split('/')[-2] == split
        assert entry.ann_file.endswith('annotations_without_background.json')
    assert MINI <= sets.keys()
    assert {n for n, e in sets.items() if e.img.endswith('export')} == {
        *('boggleBoards', 'dice', 'pistols', 'selfdrivingCar'),
    }
    assert {'o', 'o ', 't\\'} <= set(sets['boggleBoards'].classes)


def test_the_13_are_among_the_35():
    of_35 = {e.ann_file: e for e in read('swin-t', 35).custom_data.test}
    renamed = {}
    for entry in read('swin-t', 13).custom_data.test:
        other = of_35[entry.ann_file]
        assert entry.img == other.img
        if entry.classes != other.classes:
            renamed[entry.name] = (list(entry.classes), list(other.classes))
    assert renamed == {
        'CottontailRabbits': (['Cottontail-Rabbit'], ['rabbit']),
        'NorthAmericaMushrooms': (
            ['CoW', 'chanterelle'],
            ['flat mushroom', 'yellow mushroom'],
        ),
    }


PROMPTS = {
    'Aquarium': (
        ' fish. jellyfish. penguin , which is black and white. puffin with orange '
        'beaks . shark. starfish. stingray which is flat and round'
    ),
    'EgoHands': ' hand of a person',
    'Packages': 'there is a package on the porch',
    'pothole': 'there are some holes on the road',
}


@pytest.mark.parametrize('sets', [13, 35])
def test_prompts_are_the_published_ones(sets):
    cfg = read('swin-t', sets, **{'custom_data.use_caption_prompt': True})
    cfg = apply_custom_data(cfg)
    found = {}
    for entry, data in zip(
        cfg.test_evaluator.sets, cfg.test_dataloader.dataset.datasets, strict=True
    ):
        # Which prompts were used is told in the table.
        assert entry.get('caption_prompt') == data.get('caption_prompt')
        if data.get('caption_prompt'):
            prompt = TextPrompt.from_classes(
                data.metainfo.classes, caption_prompt=data.caption_prompt
            )
            assert set(data.caption_prompt) <= set(data.metainfo.classes)
            found[entry.name.removesuffix('_generic')] = prompt.caption
    names = {
        'CottontailRabbits': 'rabbit',
        'NorthAmericaMushrooms': 'flat mushroom. yellow mushroom',
    }
    assert found == PROMPTS | (names if sets == 13 else {})


def test_categories_are_renamed_as_the_original_does(tmp_path):
    cfg = read('swin-t', 35, **{'custom_data.data_root': str(tmp_path)})
    cfg.custom_data.test = [
        e
        for e in cfg.custom_data.test
        if e.name in ('ChessPieces', 'CottontailRabbits')
    ]
    chess, rabbits = cfg.custom_data.test
    before = ['bishop', *(n.replace(' ', '-') for n in chess.classes[1:])]
    entries = [dict(chess, classes=before)]
    entries += [dict(rabbits, classes=['Cottontail-Rabbit'])]
    set_folders.odinw(tmp_path, entries)
    apply_custom_data(cfg)
    with DATASETS.switch_scope_and_registry('glip') as registry:
        data = registry.build(cfg.test_dataloader.dataset)
    parts = [part['classes'] for part in data.metainfo['parts']]
    assert parts == [tuple(chess.classes), ('rabbit',)]


@pytest.fixture(scope='module')
def folder(tmp_path_factory, one_thread):
    """Weights of a small model, and ODinW-13 with two pictures each."""
    folder = tmp_path_factory.mktemp('odinw')
    small.write(folder / 'small')
    set_folders.odinw(folder, read('swin-t', 13).custom_data.test)
    return folder


def small_test(folder, work_dir, **changes):
    """ODinW-13 as the config has it, by a small model on small pictures."""
    own = small.config(folder / 'small', work_dir)
    cfg = read('swin-t', 13, **{'custom_data.data_root': str(folder)})
    # The key ``model`` is replaced as a whole.
    for key in ('model', 'experiment_name', 'work_dir', 'log_level'):
        cfg[key] = own[key]
    cfg.test_dataloader.dataset.pipeline = own.test_dataloader.dataset.pipeline
    cfg.custom_data.num_workers = 0
    cfg.merge_from_dict(changes)
    set_test_options(cfg, own.load_from)
    values = run_test(cfg)
    (table,) = work_dir.glob('*/sets.json')
    return values, json.loads(table.read_text())


def test_one_run_gives_the_table(folder, tmp_path):
    values, table = small_test(folder, tmp_path / 'run')
    assert [s['name'] for s in table['sets']][::6] == [
        *('AerialMaritimeDrone', 'PascalVOC', 'VehiclesOpenImages'),
    ]
    assert table['mean']['sets'] == table['mean']['of'] == 13
    aps = [s['AP'] for s in table['sets']]
    assert table['mean']['AP'] == pytest.approx(sum(aps) / 13)
    assert values['coco/bbox_mAP'] == pytest.approx(sum(aps) / 13, abs=1e-4)
    assert values['pothole/coco/bbox_mAP'] == aps[8]
    assert [c['name'] for c in table['sets'][4]['classes']] == ['CoW', 'chanterelle']
    assert all(s['pictures'] == 2 for s in table['sets'])


@pytest.mark.slow
def test_what_is_absent_is_listed(folder, tmp_path):
    (folder / 'pothole').rename(folder / 'away')
    try:
        changes = {'custom_data.skip_missing': True}
        values, table = small_test(folder, tmp_path / 'run', **changes)
    finally:
        (folder / 'away').rename(folder / 'pothole')
    assert (table['mean']['sets'], table['mean']['of']) == (12, 13)
    assert table['sets'][8] == {
        'name': 'pothole',
        'absent': str(
            folder / 'pothole' / 'valid' / 'annotations_without_background.json'
        ),
    }
    assert values['sets/absent'] == 1 and 'pothole/coco/bbox_mAP' not in values
    markdown = next((tmp_path / 'run').glob('*/sets.md')).read_text()
    assert 'mean of 12 of 13 sets' in markdown
