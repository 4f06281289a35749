"""Focal loss over tokens against plain formulas."""

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from glip.ops import focal_loss, focal_loss_sum


def inputs(rows=50, tokens=12, scale=4.0):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, tokens, generator=generator) * scale
    targets = torch.rand(rows, tokens, generator=generator) < 0.1
    valid = torch.rand(rows, tokens, generator=generator) < 0.8
    return logits.requires_grad_(), targets, valid


def test_by_hand():
    probability = torch.tensor([[0.9, 0.2], [0.6, 0.5]])
    targets = torch.tensor([[True, False], [False, True]])
    valid = torch.tensor([[True, True], [True, False]])
    expected = -(
        0.25 * 0.1**2 * torch.tensor(0.9).log()
        + 0.75 * 0.2**2 * torch.tensor(0.8).log()
        + 0.75 * 0.6**2 * torch.tensor(0.4).log()
    )
    found = focal_loss_sum(probability.logit(), targets, valid)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('gamma', [2.0, 1.5, 0.0])
@pytest.mark.parametrize('tile', [1, 60, 1 << 18])
def test_equals_torchvisions_with_gradients(monkeypatch, gamma, tile):
    monkeypatch.setattr(focal_loss, '_TILE_CPU', tile)
    logits, targets, valid = inputs()
    found = focal_loss_sum(logits, targets, valid, alpha=0.3, gamma=gamma)
    expected = sigmoid_focal_loss(logits, targets.float(), alpha=0.3, gamma=gamma)
    expected = (expected * valid).sum()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found * 3, logits)[0],
        torch.autograd.grad(expected * 3, logits)[0],
    )


def test_masked_entries_have_no_loss_and_no_gradient():
    logits, targets, _ = inputs()
    mask = torch.arange(12) < 7
    found = focal_loss_sum(logits, targets, mask)
    alone = focal_loss_sum(logits[:, :7], targets[:, :7], mask[:7])
    torch.testing.assert_close(found, alone)
    (gradient,) = torch.autograd.grad(found, logits)
    assert (gradient[:, 7:] == 0).all()
    assert (gradient[:, :7] != 0).all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    logits, targets, valid = inputs()
    half = logits.detach().to(dtype).requires_grad_()
    found = focal_loss_sum(half, targets, valid)
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        found, focal_loss_sum(half.detach().float(), targets, valid)
    )
    found.backward()
    assert half.grad.dtype == dtype


def test_extreme_logits_are_finite():
    logits = torch.tensor([[5e4, -5e4, 5e4, -5e4]]).requires_grad_()
    targets = torch.tensor([[True, True, False, False]])
    loss = focal_loss_sum(logits, targets, torch.ones(1, 4).bool())
    torch.testing.assert_close(loss, torch.tensor(0.25 * 5e4 + 0.75 * 5e4))
    loss.backward()
    torch.testing.assert_close(logits.grad, torch.tensor([[0, -0.25, 0.75, 0]]))


def test_nothing_costs_nothing():
    empty = torch.zeros(0, 4, requires_grad=True)
    loss = focal_loss_sum(empty, empty.bool(), empty.bool())
    loss.backward()
    assert loss == 0
    assert empty.grad.shape == (0, 4)
