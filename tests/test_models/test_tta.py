"""Several views of a picture, one result."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import nn

from glip.errors import ConfigError
from glip.models.detectors.tta import DetTTAModel, merge_views, unflipped
from glip.registry import MODELS

from .conftest import sample, tiny

IDS = dict(iou_threshold=0.5, max_per_img=10)


class Seen(nn.Module):
    """Returns what it is told to find, by view."""

    def __init__(self, views):
        super().__init__()
        self.views = iter(views)

    def test_step(self, data):
        for one in data['data_samples']:
            boxes, scores, labels = next(self.views)
            one.pred_instances = InstanceData(
                bboxes=torch.tensor(boxes).view(-1, 4).float(),
                scores=torch.tensor(scores),
                labels=torch.tensor(labels).long(),
                label_names=[one.text[label] for label in labels],
            )
        return data['data_samples']


def view(shape, flip=None, scale=1.0, text=('cat', 'dog')):
    return DetDataSample(
        metainfo=dict(
            img_shape=shape,
            ori_shape=(int(shape[0] / scale), int(shape[1] / scale)),
            scale_factor=(scale, scale),
            flip=flip is not None,
            flip_direction=flip,
            text=text,
        )
    )


def merged(found, views, **tta_cfg):
    model = DetTTAModel(Seen(found), tta_cfg=tta_cfg or None)
    data = dict(inputs=[[None]] * len(views), data_samples=[[v] for v in views])
    return model.test_step(data)[0]


def test_views_of_one_thing_are_one_detection():
    found = [
        ([[10, 10, 30, 30]], [0.6], [0]),
        # Mirrored in a picture 100 wide: x from 70 to 90.
        ([[70, 10, 90, 30], [0, 0, 10, 10]], [0.8, 0.3], [0, 1]),
    ]
    result = merged(found, [view((50, 100)), view((50, 100), 'horizontal')])
    instances = result.pred_instances
    assert instances.bboxes.tolist() == [[10, 10, 30, 30], [90, 0, 100, 10]]
    assert instances.scores.tolist() == pytest.approx([0.8, 0.3])
    assert instances.label_names == ['cat', 'dog']
    assert result.text == ('cat', 'dog')


def test_classes_do_not_suppress_each_other():
    found = [([[1, 1, 9, 9], [1, 1, 9, 9]], [0.9, 0.8], [0, 1])]
    assert len(merged(found, [view((20, 20))]).pred_instances) == 2


def test_nothing_found_anywhere():
    result = merged([([], [], [])] * 2, [view((20, 20))] * 2)
    assert len(result.pred_instances) == 0
    assert result.pred_instances.bboxes.shape == (0, 4)


def test_the_limit_is_on_all_views():
    boxes = [[x, 0, x + 4, 4] for x in range(0, 40, 5)]
    found = [(boxes, [0.9 - 0.01 * i for i in range(8)], [0] * 8)]
    result = merged(found, [view((50, 50))], max_per_img=3)
    assert result.pred_instances.scores.tolist() == pytest.approx([0.9, 0.89, 0.88])


def test_votes_by_hand():
    boxes = torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]])
    scores, labels = torch.tensor([0.9, 0.3, 0.5]), torch.tensor([1, 1, 1])
    kept, found, names = merge_views(boxes, scores, labels, vote=True, **IDS)
    expected = (0.9 * boxes[0] + 0.3 * boxes[1]) / 1.2
    torch.testing.assert_close(kept, torch.stack([expected, boxes[2]]))
    assert found.tolist() == pytest.approx([0.9, 0.5])
    plain, _, _ = merge_views(boxes, scores, labels, **IDS)
    assert torch.equal(plain, boxes[[0, 2]])
    # Another class has no vote.
    labels[1] = 0
    kept, _, _ = merge_views(boxes, scores, labels, vote=True, **IDS)
    assert len(kept) == 3 and torch.equal(kept[0], boxes[0])


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
def test_mirroring_twice_is_nothing(direction):
    meta = dict(
        img_shape=(40, 60),
        scale_factor=(0.5, 0.25),
        flip=True,
        flip_direction=direction,
    )
    boxes = torch.tensor([[3.0, 5, 21, 40], [0, 0, 120, 160]])
    torch.testing.assert_close(unflipped(unflipped(boxes, meta), meta), boxes)
    # The whole picture stays the whole picture: its last pixel is (59, 39).
    whole = torch.tensor([[0.0, 0, 59 / 0.5 + 1, 39 / 0.25 + 1]])
    torch.testing.assert_close(unflipped(whole, meta), whole)


def test_ranges_count_pixels_of_the_resized_picture():
    # 10 pixels at scale 2 are (10 - 1) * 2 + 1 = 19.
    found = [([[0, 0, 10, 10]], [0.5], [0])] * 2
    views = [view((40, 40), scale=2.0), view((10, 10), scale=0.5)]
    both = merged(found, views, size_ranges=[(0, 20), (0, 20)])
    assert len(both.pred_instances) == 1
    none = merged(found, views, size_ranges=[(19, 100), (6, 100)])
    assert len(none.pred_instances) == 0
    one = merged(found, views, size_ranges=[(18, 100), (6, 100)])
    assert len(one.pred_instances) == 1
    with pytest.raises(ConfigError, match='3 ranges for 2 views'):
        merged(found, views, size_ranges=[(0, 1)] * 3)


def test_a_pipeline_without_views_is_said_plainly():
    model = DetTTAModel(Seen([]))
    data = dict(inputs=[torch.zeros(3, 8, 8)], data_samples=[view((8, 8))])
    with pytest.raises(ConfigError, match='TestTimeAug'):
        model.test_step(data)


@pytest.mark.parametrize('wrong', [dict(nms=dict(type='soft')), dict(flips=2)])
def test_unknown_fields_are_said_plainly(wrong):
    with pytest.raises(ConfigError, match='tta_cfg takes'):
        DetTTAModel(Seen([]), tta_cfg=wrong)


def test_settings_and_weights_are_those_of_the_detector():
    cfg = tiny(**{'test_cfg.max_per_img': 7, 'test_cfg.nms': dict(iou_threshold=0.3)})
    with MODELS.switch_scope_and_registry('glip'):
        model = MODELS.build(dict(type='DetTTAModel', module=cfg.to_dict())).eval()
    assert (model.max_per_img, model.iou_threshold) == (7, 0.3)
    state = model.state_dict()
    assert state.keys() == model.module.state_dict().keys()
    model.load_state_dict({key: torch.zeros_like(t) for key, t in state.items()})
    assert all(not tensor.any() for tensor in model.module.state_dict().values())


def test_a_mirrored_picture_gives_mirrored_boxes(tiny_model):
    """Two views of a symmetric picture agree about everything."""
    half = torch.rand(3, 64, 48, generator=torch.Generator().manual_seed(0)) * 255
    picture = torch.cat([half, half.flip(2)], 2)
    model = DetTTAModel(tiny_model, tta_cfg=dict(nms=dict(iou_threshold=0.999)))
    meta = dict(flip=True, flip_direction='horizontal')
    one, other = (
        sample((64, 96), ['cat', 'dog'], **flip) for flip in (dict(flip=False), meta)
    )
    data = dict(inputs=[[picture], [picture.flip(2)]], data_samples=[[one], [other]])
    with torch.no_grad():
        found = model.test_step(data)[0].pred_instances
    assert len(found) == 20
    mirrored = unflipped(found.bboxes, one.metainfo | meta)
    distance = (mirrored[:10, None] - found.bboxes[None]).abs().amax(-1)
    distance += (found.scores[:10, None] - found.scores[None]).abs()
    assert distance.min(1).values.max() < 1e-3
