"""Names of mmcv.ops that nothing stands in for import, and say so when called."""

import mmcv._ext
import mmcv.ops
import mmcv.utils
import pytest
import torch
from mmengine.registry import MODELS
from mmengine.utils.dl_utils.misc import mmcv_full_available

pytestmark = pytest.mark.skipif(
    hasattr(mmcv._ext, '__file__'), reason='mmcv has compiled ops'
)


def test_every_name_can_be_imported():
    missing = [name for name in mmcv.ops.__all__ if not hasattr(mmcv.ops, name)]
    assert not missing


@pytest.mark.parametrize(
    'call',
    [
        lambda: mmcv.ops.CARAFE(3, 1, 2)(
            torch.ones(1, 4, 2, 2), torch.ones(1, 9, 4, 4)
        ),
        lambda: mmcv.ops.box_iou_rotated(torch.ones(2, 5), torch.ones(2, 5)),
        lambda: mmcv.ops.knn(1, torch.ones(1, 4, 3), torch.ones(1, 4, 3)),
        lambda: mmcv.ops.roi_align(
            torch.ones(1, 1, 4, 4), torch.zeros(1, 5), 2, 1.0, 0, 'max'
        ),
    ],
)
def test_what_torchvision_lacks_says_so_when_called(call):
    with pytest.raises(NotImplementedError, match='mmcv'):
        call()


def test_message_names_the_op():
    with pytest.raises(NotImplementedError, match="'box_iou_rotated'"):
        mmcv.ops.box_iou_rotated(torch.ones(2, 5), torch.ones(2, 5))


def test_pure_python_ops_work():
    points = torch.tensor([[[0.25, 0.25], [0.75, 0.25]]])
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    sampled = mmcv.ops.point_sample(image, points)
    torch.testing.assert_close(sampled, torch.tensor([[[1.0, 2.0]]]))
    pooled = mmcv.ops.CornerPool('left')(image)
    torch.testing.assert_close(pooled, torch.tensor([[[[2.0, 2.0], [4.0, 4.0]]]]))


def test_registered_types_are_mmcvs():
    assert MODELS.get('DCN') is mmcv.ops.DeformConv2dPack
    assert MODELS.get('DCNv2') is mmcv.ops.ModulatedDeformConv2dPack


def test_environment_report_works():
    assert 'torchvision' in mmcv.utils.collect_env()['MMCV Compiler']
    assert mmcv_full_available()


def test_deformable_attention_of_the_gpu():
    """The function that mmcv takes on the GPU, against a loop over all samples."""
    from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction

    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    sizes = [(2, 3), (1, 2)]
    value = random(1, 8, 2, 3)
    places = random(1, 4, 2, 2, 2, 2)
    weights = random(1, 4, 2, 2, 2)

    def attend(value, places, weights):
        return MultiScaleDeformableAttnFunction.apply(
            value, torch.tensor(sizes), torch.tensor([0, 6]), places, weights, 64
        )

    expected = torch.zeros(1, 4, 2, 3, dtype=torch.float64)
    for query in range(4):
        for head in range(2):
            for level, (height, width) in enumerate(sizes):
                begin = [0, 6][level]
                grid = value[0, begin : begin + height * width, head]
                grid = grid.view(height, width, 3)
                for point in range(2):
                    x, y = places[0, query, head, level, point].tolist()
                    x, y = x * width - 0.5, y * height - 0.5
                    for row in range(height):
                        for column in range(width):
                            near_y = max(0, 1 - abs(y - row))
                            near_x = max(0, 1 - abs(x - column))
                            expected[0, query, head] += (
                                near_y
                                * near_x
                                * weights[0, query, head, level, point]
                                * grid[row, column]
                            )
    torch.testing.assert_close(
        attend(value, places, weights), expected.flatten(2), atol=1e-12, rtol=0
    )
    inputs = [tensor.requires_grad_() for tensor in (value, places, weights)]
    assert torch.autograd.gradcheck(attend, inputs)
