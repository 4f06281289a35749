"""Generalised IoU by hand and against torchvision's."""

import torch
from torchvision.ops import generalized_box_iou

from glip.ops import generalized_iou


def boxes(count, seed):
    corner = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed)) * 50
    size = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed + 1)) * 40
    return torch.cat((corner, corner + size), 1)


def test_by_hand():
    one = torch.tensor([[0.0, 0, 2, 2]]).repeat(3, 1)
    other = torch.tensor([[0.0, 0, 2, 2], [1, 0, 3, 2], [4, 0, 6, 2]])
    # The same; a third shared, nothing lost; nothing shared, a third of 12 lost.
    expected = torch.tensor([1, 1 / 3, -1 / 3])
    torch.testing.assert_close(generalized_iou(one, other), expected)


def test_equals_torchvisions_with_gradients():
    one, other = boxes(40, 0).requires_grad_(), boxes(40, 7)
    found = generalized_iou(one, other)
    expected = generalized_box_iou(one, other).diagonal()
    torch.testing.assert_close(found, expected)
    upstream = torch.randn(40)
    torch.testing.assert_close(
        torch.autograd.grad(found, one, upstream)[0],
        torch.autograd.grad(expected, one, upstream)[0],
    )


def test_boxes_without_area_are_finite():
    one = torch.zeros(3, 4, requires_grad=True)
    other = torch.tensor([[0.0, 0, 0, 0], [0, 0, 5, 5], [9, 9, 9, 9]])
    found = generalized_iou(one, other)
    found.sum().backward()
    assert found.isfinite().all() and one.grad.isfinite().all()
