"""Backbones against independent implementations, freezing, DropBlock."""

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.backbones import SwinTransformer as MMDetSwin
from mmengine.registry import DefaultScope

from glip.errors import CheckpointError, ConfigError
from glip.models import CSPNet, SwinTransformer
from glip.models.necks.fpn_drop_block import drop_block

from .conftest import build

SMALL = dict(
    embed_dims=8,
    depths=[2, 2, 2, 2],
    num_heads=[1, 2, 2, 4],
    window_size=4,
    out_indices=(0, 1, 2, 3),
)


@pytest.mark.parametrize('size', [(64, 64), (50, 77), (4, 4), (33, 128)])
def test_swin_equals_mmdets(size):
    torch.manual_seed(0)
    theirs = MMDetSwin(**SMALL, drop_path_rate=0.2)
    theirs.eval()  # returns None
    ours = SwinTransformer(**SMALL, drop_path_rate=0.2).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, *size)
    with torch.no_grad():
        for one, other in zip(ours(x), theirs(x), strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    'options',
    [
        dict(strides=(4, 2, 2, 2), act_cfg=dict(type='GELU'), pretrained=None),
        dict(patch_norm=False),
        dict(norm_cfg=dict(type='LN', eps=0.1, requires_grad=False)),
        dict(use_abs_pos_embed=True, pretrain_img_size=(48, 64)),
    ],
)
def test_swin_takes_what_mmdets_takes(options):
    torch.manual_seed(0)
    theirs = MMDetSwin(**SMALL, **options)
    theirs.eval()  # returns None
    ours = SwinTransformer(**SMALL, **options).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    ours.load_state_dict(theirs.state_dict())
    trained = {name for name, p in ours.named_parameters() if p.requires_grad}
    assert trained == {name for name, p in theirs.named_parameters() if p.requires_grad}
    x = torch.randn(2, 3, 48, 64)
    with torch.no_grad():
        for one, other in zip(ours(x), theirs(x), strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_swin_resizes_its_positions():
    """Where mmdet's fails: the maps are seldom those of the pre-training."""
    torch.manual_seed(0)
    options = dict(use_abs_pos_embed=True, pretrain_img_size=32, frozen_stages=1)
    model = SwinTransformer(**SMALL, **options).eval()
    assert not model.absolute_pos_embed.requires_grad
    plain = SwinTransformer(**SMALL).eval()
    plain.load_state_dict(model.state_dict(), strict=False)
    x = torch.randn(1, 3, 40, 64)
    with torch.no_grad():
        model.absolute_pos_embed.fill_(1.0)
        plain.patch_embed.norm.bias.add_(1.0)  # the same at every position
        for one, other in zip(model(x), plain(x), strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    'options',
    [
        dict(strides=(2, 2, 2, 2)),
        dict(strides=(4, 2, 2)),
        dict(act_cfg=dict(type='ReLU')),
        dict(norm_cfg=dict(type='BN')),
        dict(norm_cfg=dict(type='LN', elementwise_affine=False)),
        dict(pretrain_img_size=(1, 2, 3), use_abs_pos_embed=True),
        dict(pretrained='a.pth', init_cfg=dict(type='Pretrained', checkpoint='a.pth')),
    ],
)
def test_swin_says_what_only_mmdets_can(options):
    with pytest.raises(ConfigError, match='backbone'):
        SwinTransformer(**SMALL, **options)


def test_swin_checkpointing_changes_no_gradient():
    torch.manual_seed(0)
    plain = SwinTransformer(**SMALL, drop_path_rate=0.0).train()
    saving = SwinTransformer(**SMALL, drop_path_rate=0.0, with_cp=True).train()
    saving.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 64, 64)
    for model in (plain, saving):
        sum(level.square().mean() for level in model(x)).backward()
    for one, other in zip(plain.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize('frozen', [-1, 0, 1, 2])
def test_frozen_stages_do_not_train(frozen):
    torch.manual_seed(0)
    model = SwinTransformer(
        **SMALL,
        frozen_stages=frozen,
        drop_path_rate=0.9,
        drop_rate=0.3,
        attn_drop_rate=0.3,
    ).train()
    sum(level.sum() for level in model(torch.randn(1, 3, 64, 64))).backward()
    trained = {n for n, p in model.named_parameters() if p.grad is not None}
    fixed = {n for n, p in model.named_parameters() if not p.requires_grad}
    assert trained | fixed == {n for n, _ in model.named_parameters()}
    assert not trained & fixed
    expected = {'patch_embed'} if frozen >= 0 else set()
    expected |= {f'stages.{i}' for i in range(frozen)}
    expected |= {f'norm{i}' for i in range(frozen)}
    prefixes = tuple(f'{name}.' for name in expected)
    names = {n for n, _ in model.named_parameters() if n.startswith(prefixes)}
    assert fixed == (names if prefixes else set())
    # Nothing in them is left to chance or to statistics of the batch.
    for name in expected:
        assert not any(m.training for m in model.get_submodule(name).modules())
    assert all(m.training for m in model.stages[3].modules())
    assert model.eval().train().stages[0].training == (frozen < 1)


def test_frozen_stages_see_the_same_picture_twice():
    torch.manual_seed(0)
    chance = dict(drop_path_rate=0.9, attn_drop_rate=0.5, drop_rate=0.2)
    model = SwinTransformer(**SMALL, frozen_stages=2, **chance).train()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        one, other = model(x), model(x)
    same = [torch.equal(a, b) for a, b in zip(one, other, strict=True)]
    assert same == [True, True, False, False]


def test_backbone_starts_from_its_part_of_a_file(tmp_path):
    torch.manual_seed(0)
    source = CSPNet(stem_channels=4)
    state = {f'backbone.{name}': w for name, w in source.state_dict().items()}
    file = tmp_path / 'weights.pth'
    torch.save({**state, 'neck.weight': torch.zeros(3)}, file)
    init = dict(type='Pretrained', checkpoint=str(file), prefix='backbone')
    model = build(dict(type='CSPNet', stem_channels=4, init_cfg=init))
    with DefaultScope.overwrite_default_scope('glip'):
        model.init_weights()
    for name, tensor in source.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


def test_backbone_refuses_another_models_file(tmp_path):
    torch.save({'fc.weight': torch.zeros(3)}, tmp_path / 'weights.pth')
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth'))
    model = build(dict(type='CSPNet', stem_channels=4, init_cfg=init))
    with (
        DefaultScope.overwrite_default_scope('glip'),
        pytest.raises(CheckpointError, match='does not fit'),
    ):
        model.init_weights()


@pytest.mark.parametrize('field', ['init_cfg', 'pretrained'])
def test_swin_starts_from_the_originals_file(tmp_path, field):
    """Names and channel order of a Swin trained to classify, which has no out norms."""
    torch.manual_seed(0)
    source = SwinTransformer(**SMALL)
    original = {}
    for name, tensor in source.state_dict().items():
        if name.startswith('norm') or name.endswith('relative_position_index'):
            continue
        if 'downsample' in name:  # channel by neighbour -> neighbour by channel
            lead = tensor.shape[:-1]
            tensor = tensor.view(*lead, -1, 4)[..., [0, 2, 1, 3]]
            tensor = tensor.transpose(-1, -2).reshape(*lead, -1)
        for ours, theirs in (
            ('stages.', 'layers.'),
            ('patch_embed.projection', 'patch_embed.proj'),
            ('attn.w_msa.', 'attn.'),
            ('ffn.layers.0.0', 'mlp.fc1'),
            ('ffn.layers.1', 'mlp.fc2'),
        ):
            name = name.replace(ours, theirs)
        original[name] = tensor
    original['head.weight'] = torch.zeros(10, 64)
    torch.save({'model': original}, tmp_path / 'swin.pth')
    path = str(tmp_path / 'swin.pth')
    init = path if field == 'pretrained' else dict(type='Pretrained', checkpoint=path)
    model = build(dict(type='SwinTransformer', **SMALL, **{field: init}))
    with DefaultScope.overwrite_default_scope('glip'):
        model.init_weights()
    for name, tensor in source.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


def test_drop_block_drops_squares_and_keeps_the_sum():
    torch.manual_seed(0)
    x = torch.ones(8, 3, 40, 40)
    found = drop_block(x, 0.3, 3)
    assert torch.equal(found[:, 0] == 0, found[:, 1] == 0)
    share = (found == 0).float().mean().item()
    assert 0.15 < share < 0.35  # squares overlap, so a little under the rate
    torch.testing.assert_close(found.sum(), x.sum(), rtol=1e-4, atol=0)
    # Every zero lies in a 3x3 square of zeros (or what the border leaves of one).
    zero = (found[:, :1] == 0).float()
    squares = F.max_pool2d(-F.max_pool2d(-F.pad(zero, [1] * 4, value=1), 3, 1), 3, 1)
    inner = slice(2, -2)
    covered = squares[..., 1:-1, 1:-1] if squares.shape[-1] > 38 else squares
    assert (covered[..., inner, inner] >= zero[..., 3:-3, 3:-3]).all()


@pytest.mark.parametrize('training', [False, True])
def test_neck_drops_in_training_only_and_never_the_top(training):
    torch.manual_seed(0)
    cfg = dict(
        in_channels=[4, 8, 16],
        out_channels=8,
        relu_before_extra_convs=True,
        add_extra_convs='on_output',
        num_outs=5,
    )
    plain = build(dict(type='FPN', **cfg)).train(training)
    dropping = build(dict(type='FPN_DropBlock', **cfg)).train(training)
    dropping.load_state_dict(plain.state_dict())
    x = [torch.randn(1, 4 << i, 32 >> i, 32 >> i) for i in range(3)]
    same = [torch.equal(a, b) for a, b in zip(plain(x), dropping(x), strict=True)]
    assert same == [not training, not training, True, True, True]


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('size', [(1, 1), (1, 2), (2, 1), (2, 3)])
def test_the_smallest_maps_of_the_neck_have_the_gradient_of_a_convolution(size, dtype):
    torch.manual_seed(0)
    neck = build(
        dict(
            type='FPN_DropBlock',
            in_channels=[8],
            out_channels=16,
            num_outs=2,
            add_extra_convs='on_output',
            drop_prob=0.0,
        )
    ).to(dtype)
    x = torch.randn(2, 8, *size).to(dtype)
    for _ in range(3):
        torch.full((2**16,), 1e30)  # what the system may hand out next
        neck.zero_grad()
        first, second = neck([x])
        second.sum().backward()
        conv = neck.fpn_convs[1].conv
        weight = conv.weight.detach().double().requires_grad_()
        plain = torch.nn.functional.conv2d(
            first.detach().double(), weight, conv.bias.detach().double(), 2, 1
        )
        plain.sum().backward()
        tolerance = 2e-2 if dtype is torch.bfloat16 else 1e-5
        close = dict(rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(second.double(), plain, **close)
        torch.testing.assert_close(conv.weight.grad.double(), weight.grad, **close)
