"""Thousands of classes: words encoded once, pictures too, and nothing gets lost."""

import math

import pytest
import torch
from mmdet.structures import DetDataSample

from glip.models.dense_heads import prediction
from glip.models.detectors import glip as detector_module
from glip.runtime.feature_cache import FeatureCache

from .conftest import build, sample, tiny

SHAPE = (64, 96)
LVIS = [f'thing{i}' for i in range(1203)]
NAMES = LVIS[:203]
CHUNKS = math.ceil(len(NAMES) / 40)


def make(*, early_fuse, **test_cfg):
    torch.manual_seed(0)
    changes = {'bbox_head.early_fuse': early_fuse, 'test_cfg.max_per_img': 300}
    changes |= {'test_cfg.chunked_size': 40, 'test_cfg.nms_pre': 100}
    changes |= {f'test_cfg.{key}': value for key, value in test_cfg.items()}
    model = build(tiny(**changes)).eval()
    # Words that make a difference, as trained ones do.
    torch.nn.init.normal_(model.bbox_head.head.dot_product_projection_text.weight)
    return model


def pictures(count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, *SHAPE, generator=generator)


@torch.no_grad()
def detect(model, images, names=NAMES):
    samples = [sample(SHAPE, list(names)) for _ in images]
    return [s.pred_instances for s in model(images, samples, mode='predict')]


def calls_of(module):
    """A list that grows with every call of a module."""
    calls = []
    module.register_forward_hook(lambda _, inputs, __: calls.append(inputs))
    return calls


@pytest.mark.parametrize('early_fuse', [False, True])
def test_words_are_encoded_once_per_run(early_fuse):
    model = make(early_fuse=early_fuse)
    calls = calls_of(model.language_model.language_backbone.body)
    with FeatureCache().in_use():
        for seed in range(2):
            found = detect(model, pictures(2, seed), LVIS)
            assert [len(instances) for instances in found] == [300, 300]
        assert sum(len(ids) for ids, _ in calls) == math.ceil(len(LVIS) / 40) == 31
        # Another prompt in between does not push the first one out.
        detect(model, pictures(1), ['cat'])
        calls.clear()
        detect(model, pictures(1), LVIS)
        assert calls == []


def test_the_least_recently_used_words_go_first():
    model = make(early_fuse=False)
    calls = calls_of(model.language_model.language_backbone.body)
    with FeatureCache(prompts=3).in_use():
        for name in ('a', 'b', 'c', 'a', 'd', 'a', 'c'):
            detect(model, pictures(1), [name])
        assert len(calls) == 4  # 'b' went for 'd'
        detect(model, pictures(1), ['b'])
        assert len(calls) == 5
        # A text larger than the limit is kept for the pictures to come.
        detect(model, pictures(1))
        calls.clear()
        detect(model, pictures(1))
        assert calls == []


@torch.no_grad()
def test_captions_that_differ_are_encoded_once_and_do_not_pile_up():
    model = make(early_fuse=True)
    calls = calls_of(model.language_model.language_backbone.body)
    cache, kept = FeatureCache(texts=8), 8
    for number in range(2 * kept):
        caption = f'thing number {number} on a table'
        spans = (((0, len(caption)),),)
        asked = [sample(SHAPE, caption, tokens_positive=spans) for _ in range(3)]
        with cache.in_use(model):
            for one in asked:
                model.encode_text(model.prompts_of(one))
        assert len(cache.texts) <= kept and len(cache.prompts) <= kept
    assert len(calls) == 2 * kept


def test_groups_of_prompts_are_encoded_as_one(monkeypatch):
    model = make(early_fuse=False)
    names = ['cat', 'a thing of quite a few words', 'dog', 'x y', 'z']
    model.test_cfg.chunked_size = 1
    prompts = model.prompts_of(sample(SHAPE, names))
    with torch.no_grad():
        together = model.encode_text(prompts)
        monkeypatch.setattr(detector_module, '_ENCODED_TOGETHER', 2)
        apart = model.encode_text(prompts)
    real = together.mask[..., None]
    assert torch.equal(apart.mask, together.mask)
    torch.testing.assert_close(apart.hidden * real, together.hidden * real)
    torch.testing.assert_close(apart.embedded, together.embedded)


def test_without_fusion_a_picture_goes_through_the_tower_once():
    model = make(early_fuse=False)
    backbone = calls_of(model.backbone)
    tower = calls_of(model.bbox_head.head.dyhead_tower[0])
    projection = calls_of(model.bbox_head.head.dot_product_projection_text)
    detect(model, pictures(3))
    assert len(backbone) == len(tower) == 3
    # The words of all chunks are projected at once.
    assert len(projection) == 3


def test_with_fusion_features_are_shared_and_prompts_go_in_groups(monkeypatch):
    model = make(early_fuse=True)
    backbone = calls_of(model.backbone)
    fused = calls_of(model.bbox_head.head.dyhead_tower[0])
    detect(model, pictures(2))
    assert len(backbone) == 2
    assert len(fused) == 2 * math.ceil(CHUNKS / 4)
    assert max(len(visual[0]) for visual, _ in fused) == 4
    # Large pictures: fewer prompts at a time, at least one.
    for limit, together in ((300, 2), (1, 1)):
        monkeypatch.setattr(prediction, '_POSITIONS_TOGETHER', limit)
        fused.clear()
        detect(model, pictures(1))
        assert max(len(visual[0]) for visual, _ in fused) == together


@pytest.mark.parametrize('early_fuse', [False, True])
def test_detections_are_those_of_one_prompt_after_the_other(early_fuse):
    model = make(early_fuse=early_fuse)
    image = pictures(1)
    (found,) = detect(model, image)
    assert len(found) == 300
    model.bbox_head.test_cfg['max_per_img'] = -1
    boxes, scores, labels = [], [], []
    for start in range(0, len(NAMES), 40):
        (part,) = detect(model, image, NAMES[start : start + 40])
        boxes.append(part.bboxes)
        scores.append(part.scores)
        labels.append(part.labels + start)
    scores, order = torch.cat(scores).sort(descending=True)
    boxes, labels = torch.cat(boxes)[order], torch.cat(labels)[order]
    torch.testing.assert_close(found.scores, scores[:300], atol=1e-5, rtol=0)
    # The order of near ties is not the same; each detection has its twin.
    distance = (found.bboxes[:, None] - boxes[None, :320]).abs().amax(-1)
    distance += (found.scores[:, None] - scores[None, :320]).abs() * 100
    distance += (found.labels[:, None] != labels[None, :320]) * 1e4
    assert distance.min(1).values.max() < 2e-3
    assert len({*found.labels.tolist()}) > 40  # of more than one prompt


@pytest.mark.parametrize('early_fuse', [False, True])
@pytest.mark.parametrize('batch', [1, 3])
def test_every_picture_of_a_batch_has_its_detections(early_fuse, batch):
    model = make(early_fuse=early_fuse)
    images = pictures(3)
    found = [
        instances
        for start in range(0, 3, batch)
        for instances in detect(model, images[start : start + batch])
    ]
    assert [len(instances) for instances in found] == [300] * 3
    for image, instances in zip(images, found, strict=True):
        (alone,) = detect(model, image[None])
        for key in ('bboxes', 'scores', 'labels'):
            assert torch.equal(instances[key], alone[key])
        assert len(instances.label_names) == 300


def test_a_joint_batch_keeps_every_picture_too():
    model = make(early_fuse=True, joint_batch=True)
    backbone = calls_of(model.backbone)
    found = detect(model, pictures(3))
    assert [len(instances) for instances in found] == [300] * 3
    assert len(backbone) == 1


def test_padding_of_the_batch_is_cut_off():
    model = make(early_fuse=True)
    small = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    batch = torch.zeros(2, 3, *SHAPE)
    batch[0, :, :, :64], batch[1] = small[0], pictures(1)[0]
    shapes = [(60, 50), SHAPE]
    pads = [(64, 64), SHAPE]

    def samples():
        return [
            DetDataSample(
                metainfo=dict(
                    img_shape=shape,
                    pad_shape=pad,
                    ori_shape=shape,
                    scale_factor=(1.0, 1.0),
                    text=['cat', 'dog'],
                )
            )
            for shape, pad in zip(shapes, pads, strict=True)
        ]

    with torch.no_grad():
        both = model(batch, samples(), mode='predict')
        alone = model(small, samples()[:1], mode='predict')
    for key in ('bboxes', 'scores', 'labels'):
        assert torch.equal(both[0].pred_instances[key], alone[0].pred_instances[key])
