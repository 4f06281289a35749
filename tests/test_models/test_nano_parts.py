"""Parts that only the small model has: class space, gate, plain backbone."""

import copy

import pytest
import torch

from glip.models import PAN, ClassSpaceNeck, CSPNet
from glip.models.box_coder import DeltaXYWHBBoxCoderForGLIP
from glip.models.necks.class_space import distances_of, inclusive_deltas

from .conftest import TINY, build, sample


def test_backbone_and_neck_keep_strides_and_channels():
    backbone = CSPNet(stem_channels=8, num_pairs=(1, 1, 1, 1))
    maps = backbone(torch.rand(1, 3, 64, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (32, 8, 12),
        (64, 4, 6),
        (128, 2, 3),
    ]
    levels = PAN(in_channels=(32, 64, 128), out_channels=16)(maps)
    assert [tuple(level.shape[1:]) for level in levels] == [
        (16, 8, 12),
        (16, 4, 6),
        (16, 2, 3),
    ]


def test_frozen_parts_have_nothing_to_train():
    for part in (CSPNet(stem_channels=8, frozen=True), PAN(frozen=True)):
        assert not any(p.requires_grad for p in part.parameters())
    neck = ClassSpaceNeck(neck=dict(type='PAN'), frozen=True)
    assert not any(p.requires_grad for p in neck.project.parameters())
    assert all(p.requires_grad for p in neck.neck.parameters())


def test_distance_is_the_mean_of_its_distribution():
    # All weight on bin 3 for left, an equal split of bins 0 and 4 for right.
    logits = torch.full((1, 4, 5), -1e4)
    logits[0, 0, 3] = logits[0, 1, 0] = 0
    logits[0, 2, [0, 4]] = 0
    logits[0, 3, 1] = 0
    distances = distances_of(logits.flatten(1)[..., None, None], stride=8)
    assert distances.flatten().tolist() == pytest.approx([24.0, 0.0, 16.0, 8.0])


def test_deltas_decode_to_the_box_of_the_distances():
    """Decoded by GLIP's coder, deltas give back the box around the cell's centre."""
    stride, anchor_size = 16, 8
    distances = torch.tensor([[10.0, 20.0, 31.0, 41.0]])[..., None, None]
    coder = DeltaXYWHBBoxCoderForGLIP()
    deltas = inclusive_deltas(distances, stride, anchor_size, (0.1, 0.1, 0.2, 0.2))
    # The first position: its centre is at 8, its anchor reaches from -56 to 71.
    anchor = torch.tensor([[-56.0, -56.0, 71.0, 71.0]])
    box = coder.decode(anchor, deltas.flatten()[None])
    # x1 = 8 - 10, x2 = 8 + 31 - 1: an inclusive box has its right side inside.
    torch.testing.assert_close(box, torch.tensor([[-2.0, -12.0, 38.0, 48.0]]))


def test_pyramid_holds_coordinates_deltas_and_logits():
    neck = ClassSpaceNeck(
        neck=dict(type='PAN', in_channels=(8, 8), out_channels=6),
        in_channels=6,
        num_classes=5,
        num_bins=3,
        strides=(8, 16),
    )
    maps = (torch.rand(2, 8, 4, 4), torch.rand(2, 8, 2, 2))
    levels = neck(maps)
    assert neck.out_channels == 5 + 4 + 12
    for level, features, conv in zip(levels, neck.neck(maps), neck.project):
        raw = conv(features)
        torch.testing.assert_close(level[:, :5], raw[:, :5])
        torch.testing.assert_close(level[:, 9:] / 0.2, raw[:, 5:])
    # They are scores and boxes, which half precision would round.
    with torch.autocast('cpu', torch.bfloat16):
        cast = neck([x.bfloat16() for x in maps])
    for level, rounded in zip(neck([x.bfloat16().float() for x in maps]), cast):
        torch.testing.assert_close(rounded, level)


def _gated(gate, blocks=2, early_fuse=True):
    cfg = copy.deepcopy(TINY)
    head = cfg['bbox_head']
    head.update(early_fuse=early_fuse, num_dyhead_blocks=blocks, residual_gate=gate)
    torch.manual_seed(0)
    return build(cfg).eval()


def _outputs(model):
    data = sample((64, 64), ['cat', 'dog'])
    with torch.no_grad():
        picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        return model(picture, [data], mode='tensor')


@pytest.mark.parametrize('early_fuse', [True, False])
def test_closed_gate_lets_nothing_of_the_tower_through(early_fuse):
    model = _gated(0.0, early_fuse=early_fuse)
    bare = _gated(None, blocks=0, early_fuse=early_fuse)
    bare.load_state_dict(model.state_dict(), strict=False)
    for levels, expected in zip(_outputs(model), _outputs(bare)):
        for level, other in zip(levels, expected):
            torch.testing.assert_close(level, other, rtol=0, atol=0)


def test_open_gate_is_the_published_tower():
    gated, plain = _gated(1.0), _gated(None)
    plain.load_state_dict(gated.state_dict(), strict=False)
    for levels, expected in zip(_outputs(gated), _outputs(plain)):
        for level, other in zip(levels, expected):
            torch.testing.assert_close(level, other, atol=1e-5, rtol=1e-5)


def test_without_a_gate_names_stay_the_published_ones():
    assert not any('gates' in name for name in _gated(None).state_dict())
    gates = [n for n in _gated(0.02).state_dict() if 'gates' in n]
    assert len(gates) == 4  # maps and tokens of two blocks


def test_half_open_gate_learns():
    model = _gated(0.02).train()
    from .conftest import with_boxes

    data = with_boxes(sample((64, 64), ['cat', 'dog']), [[4.0, 4.0, 40.0, 50.0]], [1])
    losses = model(torch.rand(1, 3, 64, 64), [data], mode='loss')
    sum(losses.values()).backward()
    for gate in model.bbox_head.head.gates:
        assert gate.visual.grad.abs().sum() > 0
        assert gate.language.grad.abs().sum() > 0
