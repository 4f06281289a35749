"""NMS by torchvision's kernel, told apart by class."""

import pytest
import torch
from torchvision.ops import batched_nms as theirs

from glip.ops import batched_nms


@pytest.mark.parametrize('count', [0, 1, 40, 1500])  # below and above one by one
@pytest.mark.parametrize('classes', [1, 7])
def test_equals_torchvisions(count, classes):
    generator = torch.Generator().manual_seed(count)
    corner = torch.rand(count, 2, generator=generator, dtype=torch.float64) * 50
    size = torch.rand(count, 2, generator=generator, dtype=torch.float64) * 30
    boxes = torch.cat((corner, corner + size), 1)
    scores = torch.rand(count, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (count,), generator=generator)
    kept = batched_nms(boxes, scores, labels, 0.4)
    assert kept.tolist() == theirs(boxes, scores, labels, 0.4).tolist()
