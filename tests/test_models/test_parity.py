"""Stage by stage, the numbers recorded from the original implementation.

The original's float32 run differs from its float64 run by up to 1e-5; convolution
kernels of other CPUs round differently again, so raw values may differ by 3e-5.
"""

import dataclasses
import zlib

import numpy as np
import official
import pytest
import torch
import torch.nn.functional as F

from glip.checkpoints import to_mmdet
from glip.models.dense_heads import GroundTruth
from glip.models.dense_heads.anchors import inclusive_anchors
from glip.models.dense_heads.targets import make_targets
from glip.models.language import BertLayer
from glip.models.layers import VLFuse
from glip.ops import encode_inclusive
from glip.registry import TASK_UTILS
from glip.text import TextPrompt

ATOL = 3e-5
VARIANTS = ('A', 'B', 'P')


# With early fusion or without it, and with a tuned prompt.
@pytest.fixture(scope='module', params=VARIANTS)
def variant(request):
    return request.param


@pytest.fixture(scope='module')
def model(original, variant):
    return original.model(variant)


@pytest.fixture(scope='module')
def check(original, variant):
    """Compare a tensor with what was recorded under a key (perhaps a stride of it).

    ``pytest -s`` shows the largest difference of each stage.
    """
    arrays, recorded = official.arrays(variant), original.meta[variant]['arrays']
    worst = {}

    def compare(key: str, value: torch.Tensor) -> None:
        expected = torch.from_numpy(arrays[key]).float().reshape(-1)
        found = value.detach().float().reshape(-1)[:: recorded[key]['stride']]
        assert found.shape == expected.shape, key
        stage = key.removeprefix('eval/').rstrip('.0123456789')
        difference = (found - expected).abs().max().item()
        worst[stage] = max(worst.get(stage, 0), difference)
        torch.testing.assert_close(found, expected, atol=ATOL, rtol=0, msg=key)

    yield compare
    for stage, difference in worst.items():
        print(f'\n{variant} {stage:32} {difference:.1e}', end='')


@pytest.mark.parametrize('name', ['A', 'B', 'P'])
def test_parameters_are_those_recorded(name):
    recorded = official.figures('meta')[name]['state_dict']
    parameters = official.parameters(name)
    assert len(parameters) > 200
    for key, value in parameters.items():
        assert zlib.crc32(value.numpy().tobytes()) == recorded[key]['crc32'], key


@torch.no_grad()
def test_every_stage(original, model, variant, check):
    prompts = model.single_prompts(original.samples(), truncate=False)
    assert prompts[0].prompt.caption == original.meta[variant]['eval_caption']
    text = model.language_model(prompts)
    check('eval/lang.hidden', text.hidden)
    check('eval/lang.embedded', text.embedded)
    if variant == 'P':
        return  # the rest is recorded of the outputs only
    maps = model.backbone(original.pictures)
    for i, level in enumerate(maps):
        check(f'eval/body.{i + 1}', level)
    visual = model.neck(maps)
    for i, level in enumerate(visual):
        check(f'eval/fpn.{i}', level)
    for k, block in enumerate(model.bbox_head.head.dyhead_tower):
        if isinstance(block, VLFuse):
            visual, text = block(visual, text)
        elif isinstance(block, BertLayer):
            text = dataclasses.replace(text, hidden=block(text.hidden, text.mask))
        else:
            visual = block(visual)
        for i, level in enumerate(visual):
            check(f'eval/tower.{k}.visual.{i}', level)
        if variant != 'A':
            check(f'eval/tower.{k}.lang', text.hidden)


@torch.no_grad()
def test_raw_outputs(original, model, check):
    logits, deltas, centerness = model(
        original.pictures, original.samples(), mode='tensor'
    )
    tokens = len(model.single_prompts(original.samples(), False)[0].input_ids)
    for i in range(5):
        check(f'eval/head.dot_product_logits.{i}', logits[i][..., :tokens])
        check(f'eval/head.bbox_reg.{i}', deltas[i])
        check(f'eval/head.centerness.{i}', centerness[i])


def assert_same_detections(found, boxes, scores, labels) -> None:
    """Each recorded detection has one of ours, and there are no others."""
    # Ours are half-open and counted from 0, the original's inclusive and from 1.
    inclusive = found.bboxes - torch.tensor([0.0, 0, 1, 1])
    assert len(found) == len(boxes)
    distance = (inclusive[:, None] - boxes[None]).abs().amax(-1)
    distance += (found.scores[:, None] - scores[None]).abs() * 100
    distance += (found.labels[:, None] + 1 != labels[None]) * 1e4
    assert distance.min(0).values.max() < 3e-3  # pixels
    assert distance.min(1).values.max() < 3e-3


@torch.no_grad()
@pytest.mark.parametrize('pad_to_max', [True, False])
def test_detections(original, model, variant, pad_to_max, monkeypatch):
    monkeypatch.setattr(model.language_model, 'pad_to_max', pad_to_max)
    model.eval()
    results = model(original.pictures, original.samples(), mode='predict')
    arrays = official.arrays(variant)
    for i, result in enumerate(results):
        recorded = [
            torch.from_numpy(arrays[f'eval/det.{i}.{what}'])
            for what in ('boxes', 'scores', 'labels')
        ]
        assert len(recorded[0]) == 100
        assert_same_detections(result.pred_instances, *recorded)


SETTINGS = {
    'default': {},
    'topn50': dict(nms_pre=50),
    'agg_max': dict(score_agg='MAX'),
    'lvis': dict(max_per_img=300),
    'power': dict(score_agg='POWER'),
    'thr0': dict(score_thr=0.0, nms_pre=200),
    'nms40': dict(nms=dict(type='nms', iou_threshold=0.4)),
}


def test_settings_are_those_recorded():
    assert set(SETTINGS) == set(official.figures('post'))


@torch.no_grad()
@pytest.mark.parametrize('setting', SETTINGS)
def test_post_processing_settings(original, setting):
    model = original.model('B', **SETTINGS[setting])
    recorded = official.arrays('post')
    results = model(original.pictures, original.samples(), mode='predict')
    for i, result in enumerate(results):
        assert_same_detections(
            result.pred_instances,
            *(
                torch.from_numpy(recorded[f'{setting}.{i}.{what}'])
                for what in ('boxes', 'scores', 'labels')
            ),
        )


@pytest.fixture(scope='module')
def truth(original, variant):
    arrays = official.arrays(variant)
    bits = np.unpackbits(arrays['train/positive_map_bits'])
    tokens = torch.from_numpy(bits[: 10 * 256].reshape(10, 256)).bool()
    boxes = [torch.from_numpy(arrays[f'train/gt.{i}.boxes']).float() for i in (0, 1)]
    tokens = tokens.split([len(b) for b in boxes])
    blank = max(map(len, boxes)) + 1
    return GroundTruth(
        *(
            torch.stack([F.pad(x, (0, 0, 0, blank - len(x))) for x in rows])
            for rows in (boxes, tokens)
        )
    )


@pytest.mark.parametrize('assigner', ['ATSSAssigner', 'mmdet.ATSSAssigner'])
def test_assignment(original, variant, truth, assigner):
    arrays = official.arrays(variant)
    head = original.model(variant).bbox_head
    sizes = [(28, 40), (14, 20), (7, 10), (4, 5), (2, 3)]
    levels = inclusive_anchors(head.prior_generator, sizes, torch.device('cpu'))
    anchors = torch.cat(levels)
    overlaps = dict(type='BboxOverlaps2D_GLIP')
    targets = make_targets(
        TASK_UTILS.build(dict(type=assigner, topk=9, iou_calculator=overlaps)),
        anchors,
        [len(level) for level in levels],
        truth,
    )
    for i in range(2):
        index = targets.positive[i].nonzero()[:, 0]
        recorded = torch.from_numpy(arrays[f'train/assign.{i}.pos_anchor']).long()
        theirs = recorded.argsort()
        assert torch.equal(index, recorded[theirs])
        torch.testing.assert_close(
            encode_inclusive(anchors[index], targets.boxes[i, index]),
            torch.from_numpy(arrays[f'train/assign.{i}.reg_target'])[theirs],
            atol=1e-5,
            rtol=1e-5,
        )
        bits = np.unpackbits(arrays[f'train/assign.{i}.token_label_bits'])
        tokens = torch.from_numpy(bits[: len(index) * 256].reshape(-1, 256)).bool()
        assert torch.equal(targets.tokens[i, index], tokens[theirs])


def test_losses_and_gradients(original, model, variant, truth):
    captions = original.meta[variant]['train_captions']
    tokenizer = model.language_model.tokenizer
    prompts = [
        tokenizer.encode(TextPrompt.from_spans(caption, [[[0, len(caption)]]]))
        for caption in captions
    ]
    ids = official.arrays(variant)['train/input_ids']
    for prompt, expected in zip(prompts, ids, strict=True):
        assert tuple(expected[: len(prompt.input_ids)]) == prompt.input_ids
    # As recorded: nothing stochastic acts, only gradients are taken.
    text = model.encode_text(prompts)
    outputs = model.bbox_head(model.extract_feat(original.pictures), text)
    losses = model.bbox_head.loss_by_feat(*outputs, text.mask, truth)
    recorded = original.meta[variant]['losses']
    for ours, theirs in (
        ('loss_cls', 'loss_dot_product_token'),
        ('loss_bbox', 'loss_reg'),
        ('loss_centerness', 'loss_centerness'),
    ):
        assert losses[ours].item() == pytest.approx(recorded[theirs], rel=1e-5)

    model.zero_grad()
    sum(losses.values()).backward()
    norms = original.meta[variant]['grad_norm']
    shapes = original.meta[variant]['state_dict']
    # Each value is the number of its name, so the conversion tells who became whom.
    numbered = to_mmdet(
        {
            name: torch.full(shapes[name]['shape'], float(i))
            for i, name in enumerate(norms)
        }
    )
    originals = list(norms)
    assert len(numbered) > 200
    for key, number in numbered.items():
        norm = norms[originals[int(number.flatten()[0])]]
        gradient = model.get_parameter(key).grad
        found = 0.0 if gradient is None else gradient.norm().item()
        # A bias of attention keys has no gradient but rounding noise.
        assert found == pytest.approx(norm, rel=1e-3, abs=1e-5), key
