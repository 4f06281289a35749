"""Generated records among human data, through the data sets that training builds."""

import json
from collections import Counter

import coco_folder
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

import glip.datasets  # noqa: F401
from glip.datasets.loader import build_dataloader
from glip.errors import ConfigError
from glip.teach.pseudo_labels import Labels
from glip.teach.self_training import SelfTraining
from glip.teach.self_training.mixing import student_config

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomSamplingNegPos', num_sample_negative=3),
    dict(type='PackDetInputs'),
]
HUMAN, GENERATED = 6, 10


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Six pictures with boxes, and ten captions that a teacher gave boxes to."""
    folder = tmp_path_factory.mktemp('mixing')
    coco_folder.write(folder, num_images=HUMAN)
    records = [
        dict(
            filename=f'{i % HUMAN}.png',
            height=48,
            width=64,
            grounding=dict(
                caption='a red thing',
                regions=[dict(bbox=[4, 6, 24, 30], phrase='a red thing', score=i / 10)],
            ),
        )
        for i in range(GENERATED)
    ]
    (folder / 'labels.jsonl').write_text('\n'.join(map(json.dumps, records)))
    return folder


@pytest.fixture
def labels(folder):
    return Labels(str(folder / 'labels.jsonl'), str(folder), None, {})


@pytest.fixture
def cfg(folder):
    human = dict(
        type='CocoDataset',
        data_root=str(folder),
        ann_file='annotations.json',
        data_prefix=dict(img=''),
        pipeline=PIPELINE,
    )
    return Config(
        dict(
            train_pipeline=PIPELINE,
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1),
            train_dataloader=dict(
                batch_size=1,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=human,
            ),
        )
    )


def kinds(cfg):
    """How many samples of an epoch are human, and how many generated."""
    with DefaultScope.overwrite_default_scope('glip'):
        loader = build_dataloader(cfg.train_dataloader.to_dict(), seed=0)
        return Counter(
            'generated' if sample.text == 'a red thing' else 'human'
            for batch in loader
            for sample in batch['data_samples']
        )


def settings(**given):
    return SelfTraining(captions='', **given)


def test_a_share_keeps_the_length_of_the_epoch(cfg, labels):
    counts = kinds(student_config(cfg, labels, settings(share=0.5)))
    assert counts == dict(human=3, generated=3)


def test_without_a_share_an_epoch_sees_everything_once(cfg, labels):
    counts = kinds(student_config(cfg, labels, settings()))
    assert counts == dict(human=HUMAN, generated=GENERATED)


def test_arguments_go_to_the_data_set_of_the_records(cfg, labels):
    chosen = settings(dataset=dict(min_score=0.55))
    counts = kinds(student_config(cfg, labels, chosen))
    assert counts == dict(human=HUMAN, generated=4)  # scores 0.6 to 0.9


def test_parts_of_a_mixture_keep_their_ratio(cfg, labels):
    human = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=[human, human])
    cfg.train_dataloader.sampler = dict(
        type='MixtureSampler', ratios=[3, 1], epoch_size=20
    )
    student = student_config(cfg, labels, settings(share=0.2))
    sampler = student.train_dataloader.sampler
    assert sampler.ratios == pytest.approx([0.6, 0.2, 0.2])
    assert kinds(student) == dict(human=16, generated=4)


def test_the_epoch_of_joined_sets_counts_their_repeats(cfg, labels):
    human = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = dict(
        type='ConcatDataset', datasets=[human, human], repeats=[2, 1]
    )
    counts = kinds(student_config(cfg, labels, settings(share=0.5)))
    assert counts == dict(human=9, generated=9)


def test_streams_get_a_further_source(cfg, labels):
    human = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = dict(
        type='MixedStream', datasets=[human], epoch_size=200
    )
    cfg.train_dataloader.sampler = None
    counts = kinds(student_config(cfg, labels, settings(share=0.25)))
    assert counts.total() == 200
    assert 25 <= counts['generated'] <= 75


def test_records_as_a_stream_are_mixed_with_an_indexed_set(cfg, folder):
    pattern = Labels(str(folder / 'labels-*.tar'), '', None, {})
    student = student_config(cfg, pattern, settings(share=0.25))
    loader = student.train_dataloader
    human, generated = loader.dataset.datasets
    assert (human.type, generated.type) == ('CocoDataset', 'ODVGStream')
    assert loader.dataset.ratios == [0.75, 0.25]
    assert loader.dataset.epoch_size == HUMAN
    assert loader.sampler is None and loader.batch_sampler is None


@pytest.mark.parametrize('wrong', ['stream', 'mixture'])
def test_what_mixes_by_shares_needs_one(cfg, labels, wrong):
    loader = cfg.train_dataloader
    human = loader.dataset
    if wrong == 'stream':
        loader.dataset = dict(type='MixedStream', datasets=[human])
    else:
        loader.dataset = dict(type='ConcatDataset', datasets=[human])
        loader.sampler = dict(type='MixtureSampler', ratios=[1])
    with pytest.raises(ConfigError, match='share'):
        student_config(cfg, labels, settings())


def test_a_pipeline_has_to_come_from_somewhere(cfg, labels):
    cfg.pop('train_pipeline')
    with pytest.raises(ConfigError, match='pipeline'):
        student_config(cfg, labels, settings())
    chosen = settings(dataset=dict(pipeline=PIPELINE))
    student = student_config(cfg, labels, chosen)
    assert kinds(student) == dict(human=HUMAN, generated=GENERATED)
