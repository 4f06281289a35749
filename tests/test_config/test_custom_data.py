"""``custom_data``: naming files is enough."""

from pathlib import Path

import coco_folder
import pytest
import set_folders
from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip.config.custom_data import apply_custom_data
from glip.errors import ConfigError, DatasetError
from glip.registry import DATASETS, EVALUATOR, METRICS

BASE = Path(__file__).parents[2] / 'configs/_base_'


def config(tmp_path, custom, *more):
    bases = [str(BASE / 'datasets/coco_detection.py'), str(BASE / 'default_runtime.py')]
    file = tmp_path / 'c.py'
    lines = [f'_base_ = {bases!r}', f'custom_data = {custom!r}', *more]
    file.write_text('\n'.join(lines))
    return Config.fromfile(file)


def test_one_set(tmp_path):
    cfg = config(
        tmp_path,
        {
            'data_root': 'root',
            'train': {'ann_file': 'train/a.json', 'img': 'pictures'},
            'val': {'ann_file': 'valid/a.json'},
            'classes': ['x', 'y'],
            'batch_size': 3,
            'num_workers': 0,
        },
    )
    before = cfg.train_dataloader.dataset.pipeline
    assert apply_custom_data(cfg) is cfg and 'custom_data' not in cfg
    data = cfg.train_dataloader.dataset
    assert data.type == 'CocoDataset' and data.pipeline == before
    assert (data.data_root, data.ann_file) == ('root', 'train/a.json')
    assert data.data_prefix == {'img': 'pictures'}
    assert data.metainfo.classes == ('x', 'y')
    assert data.filter_cfg.filter_empty_gt
    assert cfg.train_dataloader.batch_size == 3 and cfg.val_dataloader.batch_size == 1
    assert not cfg.train_dataloader.persistent_workers
    for stage in ('val', 'test'):
        data = cfg[f'{stage}_dataloader'].dataset
        assert data.data_prefix == {'img': 'valid'} and data.test_mode
        assert cfg[f'{stage}_evaluator'].ann_file == 'root/valid/a.json'
        assert cfg[f'{stage}_evaluator'].type == 'CocoMetric'
    again = cfg.to_dict()
    assert apply_custom_data(cfg).to_dict() == again


def test_classes_default_to_the_files(tmp_path):
    coco_folder.write(tmp_path / 'rgb')
    cfg = config(
        tmp_path, {'data_root': str(tmp_path), 'train': 'rgb/annotations.json'}
    )
    apply_custom_data(cfg)
    assert 'metainfo' not in cfg.train_dataloader.dataset
    with DefaultScope.overwrite_default_scope('glip'):
        data = DATASETS.build(cfg.train_dataloader.dataset)
    assert data.metainfo['classes'] == ('red', 'green', 'blue')


def test_without_val_nothing_is_evaluated(tmp_path):
    cfg = apply_custom_data(config(tmp_path, {'train': 'a/x.json'}))
    for stage in ('val', 'test'):
        assert cfg[f'{stage}_dataloader'] is None and cfg[f'{stage}_evaluator'] is None
    assert 'save_best' not in cfg.default_hooks.checkpoint


def test_several_sets(tmp_path):
    sets = [
        {'ann_file': 'cats/train/a.json', 'repeat': 2},
        {'data_root': 'other', 'ann_file': 'a.json', 'classes': ['z'], 'name': 'zed'},
    ]
    cfg = config(tmp_path, {'data_root': 'root', 'train': sets, 'val': sets})
    apply_custom_data(cfg)
    data = cfg.train_dataloader.dataset
    assert data.type == 'ConcatDataset' and data.repeats == [2, 1]
    assert [d.data_root for d in data.datasets] == ['root', 'other']
    assert 'metainfo' not in data.datasets[0]
    assert data.datasets[1].metainfo.classes == ('z',)
    assert cfg.val_dataloader.dataset.repeats == [1, 1]
    evaluator = cfg.val_evaluator
    assert evaluator.type == 'MultiDatasetsEvaluator'
    assert evaluator.dataset_prefixes == ['cats', 'zed']
    assert [m.ann_file for m in evaluator.metrics] == [
        'root/cats/train/a.json',
        'other/a.json',
    ]


def test_pipeline_is_found_inside_wrappers(tmp_path):
    cfg = config(tmp_path, {'train': 'a/x.json'})
    inner = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = {
        'type': 'RepeatDataset',
        'times': 2,
        'dataset': {'type': 'ConcatDataset', 'datasets': [inner]},
    }
    apply_custom_data(cfg)
    data = cfg.train_dataloader.dataset
    assert (data.type, data.times) == ('RepeatDataset', 2)
    assert data.dataset.pipeline == inner.pipeline
    assert data.dataset.ann_file == 'a/x.json'


def test_what_repeats_and_balances_stays_around_each_set(tmp_path):
    for name in 'ab':
        coco_folder.write(tmp_path / name)
    sets = [{'ann_file': f'{name}/annotations.json'} for name in 'ab']
    sets[1]['repeat'] = 2
    cfg = config(tmp_path, {'data_root': str(tmp_path), 'train': sets})
    inner = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = {
        'type': 'RepeatDataset',
        'times': 3,
        'dataset': {
            'type': 'ClassBalancedDataset',
            'oversample_thr': 0.9,
            'dataset': inner,
        },
    }
    apply_custom_data(cfg)
    with DefaultScope.overwrite_default_scope('glip'):
        data = DATASETS.build(cfg.train_dataloader.dataset)
    # Of 4 pictures one is without each class, so 9 of 10 are asked for of each.
    assert len(data) == 9 * len(data.datasets[0].dataset)
    assert data[0]['data_samples'].img_path.endswith('0.png')


DUMP = {'type': 'DumpDetResults', 'out_file_path': 'x.pkl'}


def test_further_metrics_stay(tmp_path):
    custom = {'val': 'a/x.json'}
    cfg = config(tmp_path, custom)
    main = dict(cfg.val_evaluator, classwise=True)
    cfg.val_evaluator = [DUMP, main, dict(main, prefix='b', ann_file='old')]
    apply_custom_data(cfg)
    first, second, third = cfg.val_evaluator
    assert (first.ann_file, second.ann_file) == ('a/x.json', 'a/x.json')
    assert first.classwise and second.prefix == 'b' and third == DUMP


def test_further_metrics_of_several_sets_see_all_of_them(tmp_path):
    for name in 'ab':
        coco_folder.write(tmp_path / name)
    sets = [f'{name}/annotations.json' for name in 'ab']
    cfg = config(tmp_path, {'data_root': str(tmp_path), 'val': sets})
    cfg.val_evaluator = [cfg.val_evaluator, DUMP]
    apply_custom_data(cfg)
    assert len(cfg.val_evaluator.metrics) == 2 and cfg.val_evaluator.others == [DUMP]
    with DefaultScope.overwrite_default_scope('glip'):
        evaluator = EVALUATOR.build(cfg.val_evaluator)
        parts = [{'classes': ('red',)}, {'classes': ('blue',)}]
        evaluator.dataset_meta = {'parts': parts, 'classes': ('red', 'blue')}
    metas = [metric.dataset_meta['classes'] for metric in evaluator.metrics]
    assert metas == [('red',), ('blue',), ('red', 'blue')]


@pytest.mark.parametrize(
    ('custom', 'said'),
    [
        ({'trian': 'x.json'}, 'unknown keys trian'),
        ({'data_root': 'x'}, 'neither train nor val nor test'),
        ({'train': {'img': 'x'}}, 'custom_data.train needs ann_file'),
        ({'train': {'ann': 'x'}}, 'custom_data.train has unknown keys ann'),
        ({'val': [{'ann_file': 'a/x.json'}, 'a/y.json']}, "are called ['a', 'a']"),
        ({'train': ['x.json', {}]}, r'custom_data.train[1] needs'),
    ],
)
def test_mistakes_are_named(tmp_path, custom, said):
    with pytest.raises(ConfigError) as error:
        apply_custom_data(config(tmp_path, custom))
    assert said in str(error.value)


def test_base_without_loaders(tmp_path):
    cfg = Config({'custom_data': {'train': 'x.json'}})
    with pytest.raises(ConfigError, match='no train_dataloader'):
        apply_custom_data(cfg)


def test_nothing_named_nothing_changed(tmp_path):
    cfg = config(tmp_path, None)
    assert apply_custom_data(cfg).train_dataloader.dataset.data_root == 'data/coco/'
    assert METRICS.get(cfg.val_evaluator.type).__module__.startswith('glip.')


def test_example_in_the_documentation(tmp_path):
    root = Path(__file__).parents[2]
    text = (root / 'docs/training.md').read_text()
    example = text.split('```python\n')[1].split('```')[0]
    file = tmp_path / 'raccoon.py'
    file.write_text(example.replace("'configs/", f"'{root}/configs/"))
    cfg = apply_custom_data(Config.fromfile(file))
    assert cfg.train_dataloader.dataset.data_root == 'data/raccoon/'
    assert cfg.test_evaluator.ann_file == 'data/raccoon/valid/annotations.json'
    assert cfg.model.type == 'GLIP'


@pytest.mark.parametrize(
    ('entry', 'kind'),
    [
        ({'ann_file': 'a/x.json'}, 'CocoDataset'),
        ({'ann_file': 'a/x.jsonl', 'label_map': 'a/map.json'}, 'ODVGDataset'),
        ({'ann_file': 'a/x.jsonl'}, 'ODVGDataset'),
        ({'ann_file': 'a/x.json', 'format': 'odvg'}, 'ODVGDataset'),
        ({'ann_file': 'a/x.json', 'format': 'mdetr'}, 'MDETRDataset'),
    ],
)
def test_formats(tmp_path, entry, kind):
    cfg = apply_custom_data(config(tmp_path, {'train': entry}))
    data = cfg.train_dataloader.dataset
    assert data.type == kind and data.ann_file == entry['ann_file']
    assert data.get('label_map_file') == entry.get('label_map')


def test_captions_are_evaluated_by_the_recall_of_phrases(tmp_path):
    sets = [{'ann_file': 'a/x.json', 'format': 'mdetr'}, 'b/x.jsonl']
    cfg = apply_custom_data(config(tmp_path, {'train': 'c/x.json', 'val': sets[0]}))
    assert cfg.val_evaluator == {'type': 'Flickr30kMetric'}
    assert cfg.default_hooks.checkpoint.save_best == 'flickr30k/R@1'
    assert METRICS.get('Flickr30kMetric').__module__.startswith('glip.')
    cfg = apply_custom_data(config(tmp_path, {'train': 'c/x.json', 'val': sets}))
    assert cfg.val_evaluator.dataset_prefixes == ['a', 'b']
    cfg = apply_custom_data(config(tmp_path, {'train': sets, 'val': 'c/x.json'}))
    assert cfg.default_hooks.checkpoint.save_best == 'coco/bbox_mAP'
    types = [d.type for d in cfg.train_dataloader.dataset.datasets]
    assert types == ['MDETRDataset', 'ODVGDataset']


@pytest.mark.parametrize(
    ('custom', 'said'),
    [
        ({'train': {'ann_file': 'x', 'format': 'voc'}}, "has the format 'voc'; known"),
        ({'train': {'ann_file': 'x.json', 'label_map': 'y'}}, 'only the odvg format'),
        ({'val': {'ann_file': 'x.jsonl', 'label_map': 'y'}}, 'name the COCO-format'),
        ({'val': ['a/x.json', 'b/x.jsonl']}, 'cannot be evaluated in one run'),
    ],
)
def test_mistakes_about_formats_are_named(tmp_path, custom, said):
    with pytest.raises(ConfigError) as error:
        apply_custom_data(config(tmp_path, custom))
    assert said in str(error.value)


@pytest.fixture
def mine(tmp_path):
    return set_folders.write(tmp_path / 'mine')


def names(cfg):
    return cfg.test_evaluator.dataset_prefixes


@pytest.mark.parametrize('stage', ['val', 'test'])
def test_evaluation_without_training(tmp_path, stage):
    schedule = ["optim_wrapper = dict(optimizer=dict(type='SGD'))"]
    schedule += ['param_scheduler = []', 'train_cfg = dict(max_epochs=1)']
    cfg = apply_custom_data(config(tmp_path, {stage: 'a/x.json'}, *schedule))
    # mmengine wants all three or none of them.
    for key in ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler'):
        assert cfg[key] is None
    assert cfg.test_evaluator.ann_file == 'a/x.json'
    assert (cfg.val_evaluator is None) == (stage == 'test')


def test_a_folder_is_evaluated_set_by_set(tmp_path, mine):
    cfg = apply_custom_data(config(tmp_path, {'folder': str(mine)}))
    assert names(cfg) == ['coco', 'ours', 'roboflow']
    assert cfg.test_evaluator.sets[1] == {'name': 'ours', 'split': 'val'}
    first = cfg.test_dataloader.dataset.datasets[0]
    assert (first.data_root, first.ann_file, first.data_prefix.img) == (
        str(mine / 'coco'),
        'annotations/instances_val2017.json',
        'val2017',
    )
    assert 'metainfo' not in first and first.test_mode
    assert cfg.train_dataloader is None and cfg.val_dataloader is None
    with DefaultScope.overwrite_default_scope('glip'):
        data = DATASETS.build(cfg.test_dataloader.dataset)
    parts = [tuple(part['classes']) for part in data.metainfo['parts']]
    assert parts == [set_folders.NAMES[n] for n in ('coco', 'ours', 'roboflow')]
    # One set is still a table of sets.
    cfg = apply_custom_data(config(tmp_path, {'folder': str(mine / 'ours')}))
    assert names(cfg) == ['ours']
    cfg = config(tmp_path, {'data_root': str(tmp_path), 'folder': 'mine'})
    assert len(names(apply_custom_data(cfg))) == 3


def test_a_folder_to_train_on(tmp_path, mine):
    more = {'folder': str(mine / 'roboflow'), 'split': 'test', 'train_split': 'val'}
    cfg = apply_custom_data(config(tmp_path, more))
    (train,) = cfg.train_dataloader.dataset.datasets
    assert train.ann_file == 'valid/_annotations.coco.json'
    for stage in ('val', 'test'):
        (data,) = cfg[f'{stage}_dataloader'].dataset.datasets
        assert data.ann_file == 'test/_annotations.coco.json'
    with pytest.raises(DatasetError, match='2 of 3 sets in .* to train on') as error:
        custom = {'folder': str(mine), 'train_split': 'test'}
        apply_custom_data(config(tmp_path, custom))
    assert str(mine / 'coco' / 'test') in str(error.value)


def test_sets_without_the_split_are_skipped_only_when_told(tmp_path, mine):
    custom = {'folder': str(mine), 'split': 'test'}
    with pytest.raises(DatasetError, match="2 of 3 sets in .* have no split 'test'"):
        apply_custom_data(config(tmp_path, custom))
    cfg = apply_custom_data(config(tmp_path, custom | {'skip_missing': True}))
    assert names(cfg) == ['roboflow']
    absent = [entry.get('absent') for entry in cfg.test_evaluator.sets]
    assert absent == [
        str(mine / 'coco' / 'test' / 'annotations.json'),
        str(mine / 'ours' / 'test' / 'annotations.json'),
        None,
    ]
    cfg = apply_custom_data(config(tmp_path, custom | {'split': ['test', 'val']}))
    assert [entry.split for entry in cfg.test_evaluator.sets] == ['val', 'val', 'test']
    custom = {'folder': str(mine), 'split': 'none', 'skip_missing': True}
    with pytest.raises(DatasetError, match='3 of 3 sets'):
        apply_custom_data(config(tmp_path, custom))


def test_named_sets_are_skipped_only_when_told(tmp_path, mine):
    sets = [
        {'ann_file': 'ours/valid/annotations.json'},
        {'ann_file': 'gone/valid/annotations.json'},
        {'ann_file': 'coco/annotations/instances_val2017.json', 'img': 'coco/no'},
    ]
    custom = {'data_root': str(mine), 'test': sets}
    cfg = apply_custom_data(config(tmp_path, custom))
    assert names(cfg) == ['ours', 'gone', 'coco']
    with (
        DefaultScope.overwrite_default_scope('glip'),
        pytest.raises(DatasetError, match='1 of 3 data sets have no') as error,
    ):
        DATASETS.build(cfg.test_dataloader.dataset)
    path = str(mine / 'gone' / 'valid' / 'annotations.json')
    assert path in str(error.value) and 'custom_data.data_root' in str(error.value)
    cfg = apply_custom_data(config(tmp_path, custom | {'skip_missing': True}))
    assert names(cfg) == ['ours']
    absent = [entry.get('absent') for entry in cfg.test_evaluator.sets]
    assert absent == [None, path, str(mine / 'coco' / 'no')]
    custom = {'data_root': '/nowhere', 'test': sets, 'skip_missing': True}
    with pytest.raises(DatasetError, match='3 of 3 .* set custom_data.data_root'):
        apply_custom_data(config(tmp_path, custom))


def test_other_words_and_other_names(tmp_path, mine):
    entry = {
        'data_root': str(mine / 'ours' / 'valid'),
        'ann_file': 'annotations.json',
        'category_names': ['rouge', 'vert', 'bleu'],
        'caption_prompt': {'vert': {'prefix': 'some ', 'name': 'green'}},
    }
    cfg = apply_custom_data(config(tmp_path, {'val': entry}))
    with DefaultScope.overwrite_default_scope('glip'):
        data = DATASETS.build(cfg.val_dataloader.dataset)
    sample = data[0]['data_samples']
    assert sample.text == ('rouge', 'vert', 'bleu')
    assert sample.caption_prompt == entry['caption_prompt']
    custom = {'val': entry, 'use_caption_prompt': False}
    cfg = apply_custom_data(config(tmp_path, custom))
    assert 'caption_prompt' not in cfg.val_dataloader.dataset


@pytest.mark.parametrize(
    ('custom', 'said'),
    [
        ({'folder': 'x', 'test': 'y.json'}, 'has both folder and test'),
        ({'val': 'y.json', 'split': 'test'}, 'custom_data.split needs'),
        ({'train': 'y.json', 'train_split': 'x'}, 'custom_data.train_split needs'),
    ],
)
def test_mistakes_about_folders_are_named(tmp_path, custom, said):
    with pytest.raises(ConfigError) as error:
        apply_custom_data(config(tmp_path, custom))
    assert said in str(error.value)


def test_what_is_wrong_in_one_of_the_sets_is_named(tmp_path, mine):
    def wrong(**more):
        cfg = config(tmp_path, {'folder': str(mine), **more})
        apply_custom_data(cfg)
        with (
            DefaultScope.overwrite_default_scope('glip'),
            pytest.raises(DatasetError) as error,
        ):
            DATASETS.build(cfg.test_dataloader.dataset)
        assert '\n' not in str(error.value)
        return str(error.value)

    said = wrong(classes=['cat', 'purple'])
    assert '[purple] are not in' in said and str(mine / 'coco') in said
    (mine / 'ours' / 'valid' / 'annotations.json').write_text('{"images": [')
    said = wrong()
    assert 'is not valid JSON' in said and str(mine / 'ours') in said
