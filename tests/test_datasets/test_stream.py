"""Shards are read by all processes together, in an order that the seed decides."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import coco_folder
import miniature
import numpy as np
import pytest
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from PIL import Image
from torch.utils.data import DataLoader

from glip.datasets import MixedStream, ODVGStream
from glip.datasets.converters.to_shards import odvg_to_shards
from glip.datasets.loader import build_dataloader
from glip.datasets.stream import consumer
from glip.engine.loops import EpochBasedTrainLoop
from glip.errors import ConfigError, DatasetError
from glip.registry import DATASETS

wds = pytest.importorskip('webdataset')

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip_GLIP', prob=0.5),
    dict(type='RandomSamplingNegPos'),
    dict(type='PackDetInputs'),
]


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('glip'):
        yield


@pytest.fixture
def source(tmp_path):
    return miniature.synthetic(tmp_path / 'pictures')


@pytest.fixture
def records(tmp_path, source):
    path = tmp_path / 'records.jsonl'
    path.write_text('\n'.join(map(json.dumps, source.odvg)))
    return path


@pytest.fixture
def shards(tmp_path, source, records):
    odvg_to_shards(records, source.pictures, tmp_path / 'tar', shard_size=2)
    return str(tmp_path / 'tar' / 'train-{000000..000002}.tar')


def names(samples):
    return [Path(s['data_samples'].img_path).name for s in samples]


def taken(stream, count, seed=0, place=0, places=1):
    samples = stream.packed(seed, place, places)
    return [next(samples) for _ in range(count)]


def build(*args, **kwargs):
    return ODVGStream(*args, pipeline=PIPELINE, **kwargs)


def test_what_is_packed_comes_out(shards, source):
    stream = build(shards, shuffle=0)
    samples = taken(stream, 6)
    assert names(samples) == [record['filename'] for record in source.odvg]
    for sample, record in zip(samples, source.odvg, strict=True):
        truth = sample['data_samples']
        assert truth.text == record['grounding']['caption']
        found = [truth.text[slice(*spans[0])] for spans in truth.tokens_positive]
        assert found == [r['phrase'] for r in record['grounding']['regions']]
        picture = np.array(Image.open(source.pictures / record['filename']))
        pixels = sample['inputs'].numpy().transpose(1, 2, 0)[..., ::-1]
        if truth.flip:
            pixels = pixels[:, ::-1]
        assert (pixels == picture).all()


def test_jsonl_beside_a_folder_gives_the_same(shards, records, source):
    stream = build(
        str(records), data_prefix=dict(img=str(source.pictures)), shuffle=0, seed=1
    )
    assert names(taken(stream, 6)) == names(taken(build(shards, shuffle=0), 6))


def test_it_has_no_end_and_shuffles_anew(shards, source):
    stream = build(shards, shuffle=4)
    turns = names(taken(stream, 18))
    expected = sorted(record['filename'] for record in source.odvg)
    parts = [turns[i : i + 6] for i in (0, 6, 12)]
    assert all(sorted(part) == expected for part in parts)
    assert len({tuple(part) for part in parts}) > 1


def test_the_seed_decides(shards):
    def drawn(seed):
        samples = taken(build(shards), 12, seed)
        return [(n, s['data_samples'].flip) for n, s in zip(names(samples), samples)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize('places', [2, 3, 5])
def test_consumers_share_everything(shards, source, places):
    """Whole shards where there are enough of them, else every n-th record."""
    seen = []
    for place in range(places):
        count = len(range(place, 6, places)) if places > 3 else 6 // places
        seen += names(
            taken(build(shards, shuffle=0), count, place=place, places=places)
        )
    if places != 2:
        assert sorted(seen) == sorted(record['filename'] for record in source.odvg)
    assert consumer() == (0, 1)


def test_loader_with_workers(shards):
    stream = build(shards, epoch_size=8, seed=5)
    assert len(stream) == 8

    def epoch():
        loader = DataLoader(stream, batch_size=2, num_workers=2, collate_fn=list)
        return [names(batch) for batch in loader]

    first = epoch()
    assert [len(batch) for batch in first] == [2, 2, 2, 2]
    assert epoch() == first
    stream.set_epoch(1)
    assert epoch() != first
    stream.set_epoch(0)
    stream.start_at(3)  # a resumed run
    assert epoch() != first


def test_without_an_end_no_epoch_can_be_trained(shards):
    loader = DataLoader(build(shards), batch_size=2, collate_fn=list)
    runner = SimpleNamespace(visualizer=SimpleNamespace())
    with pytest.raises(ConfigError, match='epoch_size'):
        EpochBasedTrainLoop(runner, loader, max_epochs=1)
    loader = DataLoader(build(shards, epoch_size=4), batch_size=2, collate_fn=list)
    assert EpochBasedTrainLoop(runner, loader, max_epochs=3).max_iters == 6


def test_broken_records_are_skipped_and_counted(tmp_path, source, records, caplog):
    lines = records.read_text().splitlines()
    content = json.loads(lines[0])
    del content['grounding']['caption']
    lines[0] = json.dumps(content)
    records.write_text('\n'.join(lines))
    odvg_to_shards(records, source.pictures, tmp_path / 'tar')
    stream = build(str(tmp_path / 'tar' / '*.tar'), shuffle=0)
    assert len(set(names(taken(stream, 5)))) == 5
    assert len(stream.broken.messages()) == 1
    assert 'no caption' in stream.broken.messages()[0]


def test_too_many_broken_pictures_stop_it(tmp_path, source, records):
    for picture in source.pictures.glob('*.png'):
        picture.write_bytes(b'not a picture')
    odvg_to_shards(records, source.pictures, tmp_path / 'tar')
    stream = build(str(tmp_path / 'tar' / '*.tar'), max_broken_images=3)
    with pytest.raises(DatasetError, match='max_broken_images=3'):
        taken(stream, 1)


def test_a_shard_that_is_cut_off_gives_what_it_has(tmp_path, shards):
    last = tmp_path / 'tar' / 'train-000002.tar'
    with last.open('r+b') as file:
        file.truncate(1200)  # within the head of the second member
    stream = build(shards, shuffle=0)
    assert len(set(names(taken(stream, 10)))) == 4
    assert all('train-000002.tar' in m for m in stream.broken.messages())
    assert stream.broken.messages()


@pytest.mark.parametrize(
    ('pattern', 'message'),
    [
        ('absent-{000..001}.tar', 'absent-000.tar'),
        ('absent-*.tar', 'shard not found'),
        ('x-{000..', 'shards='),
        ([], 'empty'),
    ],
)
def test_missing_shards_are_named(tmp_path, pattern, message):
    with pytest.raises(DatasetError, match=message):
        build(pattern, data_root=str(tmp_path) if pattern else '')


def test_without_webdataset_it_says_what_to_install(shards, monkeypatch):
    monkeypatch.setitem(sys.modules, 'webdataset', None)
    with pytest.raises(DatasetError, match='pip install webdataset'):
        build(shards)


def mixed(shards, folder, **kwargs):
    boxes = dict(
        type='CocoDataset',
        data_root=str(folder),
        ann_file='annotations.json',
        data_prefix=dict(img=''),
        pipeline=PIPELINE,
    )
    captions = dict(type='ODVGStream', shards=shards, pipeline=PIPELINE, seed=0)
    return DATASETS.build(
        dict(type='MixedStream', datasets=[boxes, captions], seed=0, **kwargs)
    )


def test_mixing_keeps_the_shares(shards, tmp_path):
    coco_folder.write(tmp_path / 'boxes', num_images=5)
    stream = mixed(shards, tmp_path / 'boxes', ratios=[1, 3])
    paths = [s['data_samples'].img_path for s in taken(stream, 200)]
    share = np.mean(['.tar' in path for path in paths])
    assert 0.65 < share < 0.85
    rest = [path for path in paths if '.tar' not in path]
    assert len(set(rest[:5])) == 5  # none comes twice before all came


def test_groups_of_one_orientation(shards, tmp_path):
    coco_folder.write(tmp_path / 'boxes', num_images=4, size=(40, 80))
    stream = mixed(shards, tmp_path / 'boxes', group_size=2)
    shapes = [s['inputs'].shape[-2:] for s in taken(stream, 40)]
    upright = [height > width for height, width in shapes]
    assert upright[::2] == upright[1::2]
    assert len(set(upright)) == 2


def test_other_captions_are_those_that_came_before(shards, source):
    around = dict(type='NegativeCaptions', prob=1.0, full_sampling_prob=1.0, avoid=None)
    stream = ODVGStream(shards, [*PIPELINE[:2], around, *PIPELINE[2:]], shuffle=0)
    samples = taken(stream, 6)
    own = [record['grounding']['caption'] for record in source.odvg]
    texts = [sample['data_samples'].text for sample in samples]
    assert texts[0] == own[0]
    for i in range(1, 6):
        assert own[i] in texts[i]
        assert any(caption in texts[i] for caption in own[:i])


def test_wrong_ratios(shards, tmp_path):
    coco_folder.write(tmp_path / 'boxes')
    with pytest.raises(ConfigError, match='ratios'):
        mixed(shards, tmp_path / 'boxes', ratios=[1])
    with pytest.raises(ConfigError, match='ratios'):
        MixedStream([], [])


def test_built_by_the_runner(shards):
    config = ConfigDict(
        dict(
            batch_size=2,
            num_workers=0,
            sampler=None,
            dataset=dict(type='ODVGStream', shards=shards, pipeline=PIPELINE),
        )
    )
    batch = next(iter(build_dataloader(config, seed=3)))
    assert len(batch['inputs']) == 2
    config.sampler = dict(type='DefaultSampler')
    with pytest.raises(ConfigError, match='sampler=None'):
        build_dataloader(config, seed=3)


def test_no_index_is_kept(shards, tmp_path):
    """Ten times the shards are ten more names, nothing else."""
    for number in range(3, 33):
        shutil.copy(
            tmp_path / 'tar' / 'train-000000.tar',
            tmp_path / 'tar' / f'train-{number:06d}.tar',
        )
    stream = build(str(tmp_path / 'tar' / '*.tar'))
    assert len(stream.shards) == 33
    assert not stream._reader._fully_initialized


def test_a_bad_line_and_a_name_outside_the_folder_end_nothing(tmp_path, source):
    outside = tmp_path / 'outside.png'
    Image.new('RGB', (64, 48)).save(outside)
    lines = [json.dumps(record) for record in source.odvg]
    lines[1] = '[' * 100_000
    lines[2] = '{"filename": '
    lines[3] = json.dumps(dict(source.odvg[3], filename=str(outside)))
    lines[4] = json.dumps(dict(source.odvg[4], filename='../outside.png'))
    path = tmp_path / 'bad.jsonl'
    path.write_text('\n'.join(lines))
    stream = build(str(path), shuffle=0, data_prefix=dict(img=str(source.pictures)))
    samples = taken(stream, 4)
    assert names(samples) == ['0.png', '5.png', '0.png', '5.png']
    assert len(stream.broken.messages()) == 4
