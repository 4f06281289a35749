"""The host never waits for the device between the words and the losses.

Tensors that only pretend to be on a GPU have no values, so an operation that needs one
on the host raises, and one whose result depends on values in shape does as well.
"""

import pytest
import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode

from glip.models.dense_heads import GroundTruth, collect_ground_truth
from glip.models.language import TextFeatures
from glip.text import TextPrompt, Tokenizer

from .conftest import build, sample, tiny, with_boxes


class Copies(TorchDispatchMode):
    """Lists copies from the host to the device."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and out.device.type == 'cuda':
            tensors = [a for a in args if isinstance(a, torch.Tensor)]
            if any(a.device.type == 'cpu' and a.dim() > 0 for a in tensors):
                self.found.append(str(func))
        return out


@pytest.fixture
def replace_parameters():
    """Moving a model gives it new parameters, as these cannot become fake in place."""
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    yield
    torch.__future__.set_overwrite_module_params_on_conversion(False)


@pytest.mark.usefixtures('replace_parameters')
@pytest.mark.parametrize('early_fuse', [False, True])
def test_losses_on_a_device_without_values(early_fuse):
    model = build(tiny(**{'bbox_head.early_fuse': early_fuse})).train()
    with FakeTensorMode(allow_non_fake_inputs=True):
        model._apply(lambda tensor: torch.empty_like(tensor, device='cuda'))
        pictures = torch.randn(2, 3, 64, 96, device='cuda')
        hidden = torch.randn(2, 9, 16, device='cuda')
        text = TextFeatures(hidden, hidden, torch.ones(2, 9, device='cuda').bool())
        truth = GroundTruth(
            torch.rand(2, 5, 4, device='cuda'),
            torch.ones(2, 5, 7, device='cuda').bool(),
        )

        def losses():
            return model.bbox_head.loss(model.encode_levels(pictures), text, truth)

        losses()  # anchors move to the device once
        with Copies() as copies:
            total = sum(losses().values())
    assert total.device.type == 'cuda' and total.requires_grad
    assert copies.found == []


def test_the_test_would_notice():
    with FakeTensorMode():
        x = torch.ones(3, device='cuda')
        with pytest.raises(DataDependentOutputException):
            x.sum().item()
        with pytest.raises(DynamicOutputShapeException):
            x[x > 0]
        with Copies() as copies:
            torch.ones(3).to('cuda')
            x.new_tensor([1.0, 2.0, 3.0])
    assert len(copies.found) == 2


class Reads(TorchDispatchMode):
    """Counts tensors read by the host."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.__name__.split('.')[0]
        self.count += name in ('_local_scalar_dense', 'nonzero', 'is_nonzero')
        return func(*args, **(kwargs or {}))


def test_reads_do_not_grow_with_boxes_or_pictures():
    """``tolist`` of all labels is one transfer; nothing else is read per box."""
    prompt = Tokenizer().encode(TextPrompt.from_classes(['cat', 'dog']))

    def reads(pictures, boxes):
        samples = [
            with_boxes(sample((64, 96), ['cat']), [[0, 0, 9, 9]] * boxes, [1] * boxes)
            for _ in range(pictures)
        ]
        with Reads() as found:
            collect_ground_truth(samples, [prompt] * pictures)
        return found.count

    assert reads(1, 1) == reads(4, 30)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_training_step_does_not_wait_on_a_gpu():
    torch.manual_seed(0)
    model = build(tiny()).cuda().train()
    pictures = torch.randn(2, 3, 64, 96, device='cuda')
    hidden = torch.randn(2, 9, 16, device='cuda')
    text = TextFeatures(hidden, hidden, torch.ones(2, 9, device='cuda').bool())
    truth = GroundTruth(
        torch.tensor([[[8.0, 8, 39, 39], [0, 0, 0, 0]]] * 2, device='cuda'),
        torch.tensor([[[True] * 7, [False] * 7]] * 2, device='cuda'),
    )

    def step():
        losses = model.bbox_head.loss(model.encode_levels(pictures), text, truth)
        sum(losses.values()).backward()

    step()
    torch.cuda.set_sync_debug_mode('error')
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode('default')
