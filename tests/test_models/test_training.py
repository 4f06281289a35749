"""What holds while the whole model trains: gradients, chance, memory, precision."""

import copy

import pytest
import torch
from torch.nn import Dropout

from glip.models.backbones.swin_blocks import SwinBlock
from glip.models.language import BertLayer, TextFeatures
from glip.models.layers import BiAttention, DyConv, VLFuse
from glip.models.layers.dyhead import DeformConv3x3
from glip.models.stochastic_depth import StochasticDepth
from glip.ops import plain_path

from .conftest import build, sample, tiny, with_boxes

SHAPE = (64, 96)
CHANCE = {
    'backbone.drop_path_rate': 0.4,
    'backbone.drop_rate': 0.1,
    'bbox_head.fusion.drop_path': 0.3,
}
CHECKPOINTING = {
    'backbone.with_cp': True,
    'bbox_head.use_checkpoint': True,
    'language_model.use_checkpoint': True,
}


@pytest.fixture
def batch():
    pictures = torch.randn(2, 3, *SHAPE, generator=torch.Generator().manual_seed(1))
    boxes = [[8.0, 8, 39, 39], [40, 20, 90, 60]]
    samples = [
        with_boxes(sample(SHAPE, ['cat', 'dog']), boxes, [0, 1]),
        with_boxes(
            sample(SHAPE, 'a sky over a sky', tokens_positive=[[[0, 5]], [[11, 16]]]),
            [[0.0, 0, 63, 31]],
            [1],
        ),
    ]
    return pictures, samples


def make(seed=0, **changes):
    torch.manual_seed(seed)
    return build(tiny(**changes)).train()


def gradients(model, batch, seed=3):
    torch.manual_seed(seed)
    model.zero_grad()
    losses = model(*batch, mode='loss')
    sum(losses.values()).backward()
    return losses, {n: p.grad for n, p in model.named_parameters() if p.requires_grad}


def clear(samples):
    samples = copy.deepcopy(samples)
    for one in samples:
        with_boxes(one, [], [])
    return samples


@pytest.mark.parametrize('boxes', [True, False])
@pytest.mark.parametrize(
    'changes',
    [
        {},
        {'bbox_head.early_fuse': False},
        {'language_model.num_layers_of_embedded': 2, 'bbox_head.early_fuse': False},
        {'language_model.add_pooling_layer': True},
        {'language_model.frozen': True},
        {'backbone.frozen_stages': 2},
        CHECKPOINTING,
    ],
    ids=str,
)
def test_every_parameter_that_trains_has_a_gradient(batch, changes, boxes):
    """So DistributedDataParallel works without looking for unused parameters."""
    pictures, samples = batch
    _, found = gradients(
        make(**changes), (pictures, samples if boxes else clear(samples))
    )
    assert [name for name, value in found.items() if value is None] == []
    assert all(value.isfinite().all() for value in found.values())


def test_bert_reads_each_caption_of_a_batch_once(batch):
    pictures, samples = batch
    model = make()
    rows = []
    body = model.language_model.language_backbone.body
    body.register_forward_hook(lambda _, inputs, __: rows.append(len(inputs[0])))
    pictures = pictures[[0, 1, 0, 0]]
    gradients(model, (pictures, [samples[0], samples[1], samples[0], samples[0]]))
    assert rows == [2]


def test_a_repeated_caption_gets_the_gradients_of_all_its_pictures(batch):
    """Captions encoded once or apart: the same, as nothing stochastic acts."""
    pictures, samples = batch
    model = make().eval()
    apart = copy.deepcopy(samples[0])
    apart.set_metainfo(dict(text=['cat', 'dog'], img_path='other'))
    model.language_model.pad_to_max = True
    _, shared = gradients(model, (pictures, [samples[0], apart]))
    shared = {n: g.clone() for n, g in shared.items()}
    forward = type(model.language_model).forward

    def one_by_one(self, prompts):
        parts = [forward(self, [prompt]) for prompt in prompts]
        fields = ('hidden', 'embedded', 'mask')
        return type(parts[0])(
            *(torch.cat([getattr(p, f) for p in parts]) for f in fields)
        )

    model.encode_text = lambda prompts: one_by_one(model.language_model, prompts)
    _, separate = gradients(model, (pictures, [samples[0], apart]))
    for name, value in shared.items():
        torch.testing.assert_close(value, separate[name], atol=1e-5, rtol=1e-3)


def test_chance_acts_in_training_only(batch):
    pictures, samples = batch
    model = make(**CHANCE)
    depths = [m for m in model.modules() if isinstance(m, StochasticDepth)]
    assert {m.p for m in depths} >= {0.0, 0.3, 0.4}
    assert {m.p for m in model.modules() if isinstance(m, Dropout)} >= {0.1}

    def losses():
        with torch.no_grad():
            return sum(model(pictures, samples, mode='loss').values()).item()

    assert losses() != losses()
    model.eval()
    assert losses() == losses()


@pytest.mark.parametrize(
    'part', ['backbone', 'neck', 'bbox_head', 'language_model'], ids=str
)
def test_each_part_has_its_own_chance(batch, part):
    pictures, samples = batch
    model = make(**CHANCE).eval()
    getattr(model, part).train()
    # With gradients on, as texts are otherwise encoded once.
    found = {sum(model(pictures, samples, mode='loss').values()).item() for _ in '1234'}
    assert len(found) > 1


@pytest.mark.parametrize('early_fuse', [True, False])
def test_recomputing_changes_no_gradient_though_chance_acts(batch, early_fuse):
    changes = {**CHANCE, 'bbox_head.early_fuse': early_fuse}
    plain = make(**changes)
    saving = make(**changes, **CHECKPOINTING)
    saving.load_state_dict(plain.state_dict())
    losses, expected = gradients(plain, batch)
    others, found = gradients(saving, batch)
    assert {k: v.item() for k, v in losses.items()} == {
        k: v.item() for k, v in others.items()
    }
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, msg=name)


def test_each_block_is_recomputed(batch):
    """Counted inside of the blocks, where both passes come by, in their plain forms.

    The convolutions of the tower, most of its time, are not.
    """
    inner = {
        SwinBlock: lambda m: m.attn,
        BertLayer: lambda m: m.intermediate,
        BiAttention: lambda m: m.attn,
        DyConv: lambda m: m.attnconv,
    }

    def calls(model):
        counts = dict.fromkeys([*inner, DeformConv3x3], 0)

        def count(kind):
            def hook(*_):
                counts[kind] += 1

            return hook

        for module in model.modules():
            if isinstance(module, DeformConv3x3):
                module.register_forward_hook(count(DeformConv3x3))
            for kind in inner:
                if isinstance(module, kind):
                    inner[kind](module).register_forward_hook(count(kind))
        gradients(model, batch)
        return counts

    with plain_path():
        once, twice = calls(make()), calls(make(**CHECKPOINTING))
    assert all(once.values())
    assert twice.pop(DeformConv3x3) == once.pop(DeformConv3x3)
    assert twice == {kind: 2 * count for kind, count in once.items()}


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize('early_fuse', [True, False])
def test_mixed_precision_stays_finite(batch, early_fuse, dtype):
    """Activations are driven to hundreds, and the optimiser takes large steps."""
    pictures, samples = batch
    model = make(**{'bbox_head.early_fuse': early_fuse})
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and not name.startswith('language'):
                parameter.mul_(3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(6):
        with torch.autocast('cpu', dtype):
            losses = model(pictures * 100, samples, mode='loss')
        assert all(loss.dtype == torch.float32 for loss in losses.values())
        optimizer.zero_grad()
        sum(losses.values()).backward()
        assert all(loss.isfinite() for loss in losses.values()), losses
        for name, parameter in model.named_parameters():
            assert parameter.grad.isfinite().all(), name
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def test_mixed_precision_is_close_to_full(batch):
    model = make().eval()
    losses, expected = gradients(model, batch)
    expected = {n: g.clone() for n, g in expected.items()}
    with torch.autocast('cpu', torch.bfloat16):
        mixed, found = gradients(model, batch)
    for key, loss in losses.items():
        torch.testing.assert_close(mixed[key], loss, rtol=0.02, atol=0.01)
    one = torch.cat([g.flatten() for g in expected.values()])
    other = torch.cat([g.flatten() for g in found.values()])
    assert torch.cosine_similarity(one, other, dim=0) > 0.98


def test_mixed_precision_with_recomputing(batch):
    model = make(**CHANCE, **CHECKPOINTING)
    plain = make(**CHANCE)
    plain.load_state_dict(model.state_dict())
    with torch.autocast('cpu', torch.bfloat16):
        torch.manual_seed(3)
        one = sum(model(*batch, mode='loss').values())
        torch.manual_seed(3)
        other = sum(plain(*batch, mode='loss').values())
    one.backward()
    other.backward()
    assert one.item() == other.item()
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_padding_in_half_precision_is_no_nan():
    """The embedding of padding is zero, whose norm must not be divided by."""
    head = make(**{'bbox_head.early_fuse': False}).bbox_head.head
    tokens = torch.randn(1, 3, 16).half()
    tokens[:, 2] = 0
    text = TextFeatures(tokens, tokens, torch.tensor([[True, True, False]]))
    level = torch.randn(1, 32, 2, 2).half()
    found = head.half().token_logits((level,), text)[0]
    assert found.dtype == torch.float16
    assert found.isfinite().all()


def test_recomputing_is_off_in_evaluation(batch):
    model = make(**CHECKPOINTING).eval()
    kinds = (VLFuse, DyConv, BertLayer)
    assert all(m.use_checkpoint for m in model.modules() if isinstance(m, kinds))
    losses, found = gradients(model, batch)
    assert all(loss.isfinite() for loss in losses.values())
    assert all(value is not None for value in found.values())
