"""Mixed data: every sample with the prompt of its own set."""

import coco_folder
import numpy as np
import pytest
import set_folders
from mmengine.runner import Runner

from glip.datasets import ConcatDataset
from glip.errors import DatasetError

PIPELINE = [
    {'type': 'LoadImageFromFile'},
    {'type': 'LoadAnnotations', 'with_bbox': True},
    {'type': 'RandomSamplingNegPos', 'max_classes': 3},
    {'type': 'RandomFlip_GLIP', 'prob': 0.5},
    {'type': 'PackDetInputs'},
]


def parts(tmp_path):
    wide = coco_folder.content(num_images=3)
    tall = coco_folder.content(num_images=5, size=(40, 60))
    for category, name in zip(tall['categories'], ('cat', 'dog', 'red')):
        category['name'] = name
    configs = []
    for folder, data in (('wide', wide), ('tall', tall)):
        coco_folder.write(tmp_path / folder, data)
        configs.append(
            {
                'type': 'CocoDataset',
                'data_root': str(tmp_path / folder),
                'ann_file': 'annotations.json',
                'data_prefix': {'img': ''},
                'pipeline': PIPELINE,
            }
        )
    return configs


def loader(tmp_path, seed=0, num_workers=0):
    return Runner.build_dataloader(
        {
            'batch_size': 2,
            'num_workers': num_workers,
            'sampler': {'type': 'DefaultSampler', 'shuffle': True},
            'batch_sampler': {'type': 'AspectRatioBatchSampler'},
            'dataset': {
                'type': 'ConcatDataset',
                'datasets': parts(tmp_path),
                'repeats': [2, 1],
            },
        },
        seed=seed,
    )


def words(sample):
    return [sample.text[begin:end] for ((begin, end),) in sample.tokens_positive]


def drawn(batches):
    return [
        (s.img_path, s.text, s.flip, s.gt_instances.labels.tolist())
        for batch in batches
        for s in batch['data_samples']
    ]


def test_lengths_names_and_prompts(tmp_path):
    data = ConcatDataset(parts(tmp_path), repeats=[2, 1])
    assert len(data) == 2 * 3 + 5
    assert data.metainfo['classes'] == ('red', 'green', 'blue', 'cat', 'dog')
    assert data.metainfo['cumulative_sizes'] == [6, 11]
    assert [part['classes'][0] for part in data.metainfo['parts']] == ['red', 'cat']
    assert set(words(data[4]['data_samples'])) <= {'red', 'green', 'blue'}
    assert set(words(data[7]['data_samples'])) <= {'cat', 'dog', 'red'}


def test_batches_keep_labels_and_prompts_together(tmp_path):
    names = {(220, 30, 30): ('red', 'cat'), (30, 180, 40): ('green', 'dog')}
    names[(40, 40, 220)] = ('blue', 'red')
    seen = 0
    for batch in loader(tmp_path):
        shapes = {tuple(image.shape) for image in batch['inputs']}
        assert len(shapes) == 1  # by aspect ratio
        for image, sample in zip(batch['inputs'], batch['data_samples']):
            truth = sample.gt_instances
            for box, label in zip(truth.bboxes.tensor.int(), truth.labels):
                centre = image[:, box[1::2].sum() // 2, box[0::2].sum() // 2]
                colour = tuple(centre.flip(0).tolist())
                assert words(sample)[label] in names[colour]
                seen += 1
    assert seen >= 16


@pytest.mark.parametrize('num_workers', [0, 1])
def test_same_seed_same_batches(tmp_path, num_workers):
    def batches(seed):
        np.random.seed(seed)
        return drawn(loader(tmp_path, seed, num_workers))

    assert batches(3) == batches(3)
    assert batches(3) != batches(4)


def test_repeats_must_fit(tmp_path):
    for repeats in ([1], [1, 0], [1, 1.5]):
        with pytest.raises(DatasetError, match='repeats='):
            ConcatDataset(parts(tmp_path), repeats=repeats)
    with pytest.raises(DatasetError, match='at least one'):
        ConcatDataset([])


def test_annotations_may_be_read_later(tmp_path):
    data = ConcatDataset(
        [dict(part, lazy_init=True) for part in parts(tmp_path)], lazy_init=True
    )
    assert data.metainfo['classes'] == ()
    data.full_init()
    assert len(data) == 8 and len(data.metainfo['classes']) == 5


def test_sets_of_any_layout_mix(tmp_path):
    root = set_folders.write(tmp_path, count=3)
    alone = coco_folder.content()
    alone['categories'][0]['name'] = 'rabbit'
    del alone['categories'][1:]
    for annotation in alone['annotations']:
        annotation['category_id'] = 1
    coco_folder.write(root / 'rabbits', alone)
    configs = [
        {
            'type': 'CocoDataset',
            'data_root': str(root),
            'ann_file': ann_file,
            'data_prefix': {'img': folder},
            'pipeline': PIPELINE,
            'indices': 3,
        }
        for ann_file, folder in (
            ('ours/valid/annotations.json', 'ours/valid'),
            ('coco/annotations/instances_val2017.json', 'coco/val2017'),
            ('roboflow/test/_annotations.coco.json', 'roboflow/test'),
            ('rabbits/annotations.json', 'rabbits'),
        )
    ]
    data = ConcatDataset(configs)
    assert len(data) == 12
    for i in range(len(data)):
        sample = data[i]['data_samples']
        assert len(words(sample)) <= 3
        assert (sample.gt_instances.labels < len(words(sample))).all()
    assert data[9]['data_samples'].text == 'rabbit'
