"""The switch to the plain forms."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

from glip.ops import is_plain, plain_path
from glip.ops.cpu import linear, modulated_deform_conv2d


def test_holds_inside_only_nested_and_after_errors():
    assert not is_plain()
    with plain_path():
        with plain_path():
            assert is_plain()
        assert is_plain()
    assert not is_plain()
    with pytest.raises(KeyError), plain_path():
        raise KeyError
    assert not is_plain()


def test_dispatchers_take_the_plain_form():
    torch.manual_seed(0)
    x, offset = torch.randn(1, 16, 9, 8), torch.randn(1, 18, 9, 8)
    mask, weight = torch.rand(1, 9, 9, 8), torch.randn(8, 16, 3, 3)
    rows = torch.randn(300, 16)
    with plain_path():
        assert torch.equal(
            modulated_deform_conv2d(x, offset, mask, weight),
            deform_conv2d(x, offset, weight, padding=1, mask=mask),
        )
        assert torch.equal(
            linear(rows, weight[:, :, 0, 0]), F.linear(rows, weight[:, :, 0, 0])
        )


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason='needs oneDNN')
def test_the_plain_product_is_not_a_convolution(monkeypatch):
    """Values do not tell: on one thread they may be equal to the last digit."""
    convolve, calls = F.conv2d, []
    monkeypatch.setattr(
        F, 'conv2d', lambda *args: calls.append(None) or convolve(*args)
    )
    rows, matrix = torch.randn(300, 16), torch.randn(8, 16)
    with plain_path():
        linear(rows, matrix)
    assert not calls
    linear(rows, matrix)
    assert calls
