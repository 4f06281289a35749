"""Focal losses against the formula of the paper, row by row."""

import math

import official
import pytest
import torch
from mmcv.ops import (
    SigmoidFocalLoss,
    SoftmaxFocalLoss,
    sigmoid_focal_loss,
    softmax_focal_loss,
)


def _logits(rows=6, classes=4):
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(rows, classes, generator=generator, dtype=torch.float64)


_TARGET = torch.tensor([0, 3, 4, 1, 4, 2])  # 4 is background
_WEIGHT = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)


def _sigmoid_reference(logits, target, gamma, alpha, weight=None):
    out = torch.zeros_like(logits)
    for row, values in enumerate(logits.tolist()):
        for column, value in enumerate(values):
            p = 1 / (1 + math.exp(-value))
            if target[row] == column:
                loss = -alpha * (1 - p) ** gamma * math.log(p)
            else:
                loss = -(1 - alpha) * p**gamma * math.log(1 - p)
            if weight is not None and target[row] < len(weight):
                loss *= float(weight[target[row]])
            out[row, column] = loss
    return out


def _softmax_reference(logits, target, gamma, alpha, weight=None):
    out = torch.zeros(len(logits), dtype=logits.dtype)
    for row, values in enumerate(logits.tolist()):
        p = math.exp(values[target[row]]) / sum(map(math.exp, values))
        out[row] = -alpha * (1 - p) ** gamma * math.log(p)
        if weight is not None:
            out[row] *= float(weight[target[row]])
    return out


@pytest.mark.parametrize(('gamma', 'alpha'), [(2.0, 0.25), (1.5, 0.6), (0.0, 0.5)])
@pytest.mark.parametrize('weight', [None, _WEIGHT])
def test_sigmoid(gamma, alpha, weight):
    logits = _logits()
    expected = _sigmoid_reference(logits, _TARGET, gamma, alpha, weight)
    found = sigmoid_focal_loss(logits, _TARGET, gamma, alpha, weight, 'none')
    torch.testing.assert_close(found, expected)
    total = sigmoid_focal_loss(logits, _TARGET, gamma, alpha, weight, 'sum')
    torch.testing.assert_close(total, expected.sum())
    mean = SigmoidFocalLoss(gamma, alpha, weight)(logits, _TARGET)
    torch.testing.assert_close(mean, expected.sum() / len(logits))


@pytest.mark.parametrize(('gamma', 'alpha'), [(2.0, 0.25), (1.5, 0.6)])
@pytest.mark.parametrize('weight', [None, _WEIGHT])
def test_softmax(gamma, alpha, weight):
    logits, target = _logits(), _TARGET % 4
    expected = _softmax_reference(logits, target, gamma, alpha, weight)
    found = softmax_focal_loss(logits, target, gamma, alpha, weight, 'none')
    torch.testing.assert_close(found, expected)
    mean = SoftmaxFocalLoss(gamma, alpha, weight)(logits, target)
    torch.testing.assert_close(mean, expected.mean())


def test_softmax_ignores_negative_targets():
    logits, target = _logits(), torch.tensor([0, -1, 2, -1, 3, 1])
    found = softmax_focal_loss(logits, target, 2.0, 0.25, None, 'none')
    assert found[[1, 3]].tolist() == [0, 0]
    logits.requires_grad_()
    softmax_focal_loss(logits, target, 2.0, 0.25, None, 'sum').backward()
    assert logits.grad[[1, 3]].abs().sum() == 0
    assert logits.grad[[0, 2]].abs().sum() > 0


@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
@pytest.mark.parametrize('weight', [None, _WEIGHT])
def test_gradients(reduction, weight):
    logits = _logits().requires_grad_()

    def sigmoid(logits):
        return sigmoid_focal_loss(logits, _TARGET, 2.0, 0.25, weight, reduction)

    assert torch.autograd.gradcheck(sigmoid, [logits])
    if reduction == 'none':  # mmcv's backward expects a scalar here
        return

    def softmax(logits):
        return softmax_focal_loss(logits, _TARGET % 4, 2.0, 0.25, weight, reduction)

    assert torch.autograd.gradcheck(softmax, [logits])


@pytest.mark.parametrize('gamma', [0.5, 2.0])
def test_extreme_logits_stay_finite(gamma):
    logits = torch.tensor([[300.0, -300.0], [-300.0, 300.0]], requires_grad=True)
    target = torch.tensor([0, 0])
    loss = sigmoid_focal_loss(logits, target, gamma, 0.25, None, 'sum')
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_loss_of_the_original():
    """Its logits with 0/1 targets, one column at a time as rows of one class."""
    logits = (3 * official.unit('focal.l', (2, 30, 12))).float()
    positive = official.unit('focal.t', (2, 30, 12)) > 1.2
    mask = torch.ones(2, 30, 12, dtype=torch.bool)
    mask[0, :, 7:] = False
    rows = logits[mask][:, None].clone().requires_grad_()
    target = torch.where(positive[mask], 0, 1)
    loss = sigmoid_focal_loss(rows, target, 2.0, 0.25, None, 'sum')
    recorded = official.arrays('ops')
    assert loss.item() == pytest.approx(recorded['focal.loss'].item(), 1e-5)
    loss.backward()
    gradient = torch.from_numpy(recorded['focal.grad'])[mask]
    torch.testing.assert_close(rows.grad[:, 0], gradient, rtol=1e-4, atol=1e-6)
