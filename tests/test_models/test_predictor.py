"""The way from features to detections, on a head whose numbers are worked by hand."""

import pytest
import torch

from glip.models.box_coder import DeltaXYWHBBoxCoderForGLIP
from glip.models.dense_heads.anchors import AnchorGenerator
from glip.models.dense_heads.prediction import Predictor
from glip.models.dense_heads.tower import VLFusionModule
from glip.models.language import BertConfig, TextFeatures
from glip.models.postprocess import EntityScores
from glip.text import EncodedPrompt, parse_text

CFG = dict(
    nms_pre=10,
    score_thr=0.1,
    nms=dict(iou_threshold=0.5),
    max_per_img=5,
    score_agg='MEAN',
    prompt_batch_size=2,
)


@pytest.fixture(params=[False, True], ids=['unfused', 'fused'])
def predictor(request):
    """One level of stride 8, and a head that predicts the same at every position."""
    head = VLFusionModule(
        in_channels=4,
        num_levels=1,
        num_priors=1,
        lang_config=BertConfig(hidden_size=8),
        num_dyhead_blocks=0,
        early_fuse=request.param,
    ).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        head.scales[0].scale.fill_(1)
        head.bias0.fill_(torch.logit(torch.tensor(0.49)))
        head.centerness.bias.fill_(torch.logit(torch.tensor(0.25)))
        head.bias_lang[0] = 1.0
    anchors = AnchorGenerator(
        strides=[8],
        ratios=[1.0],
        octave_base_scale=8,
        scales_per_octave=1,
        center_offset=0.5,
    )
    return Predictor(head, DeltaXYWHBBoxCoderForGLIP(), anchors, CFG)


def scores_of_two_names():
    """[CLS] cat . dog [SEP], of which only 'dog' is off the plane of ``bias_lang``."""
    prompt = EncodedPrompt(
        parse_text(['cat', 'dog']), (101, 1, 2, 3, 102), ((1,), (3,))
    )
    return EntityScores(prompt, 5, torch.device('cpu'))


def features(prompts=1):
    tokens = torch.zeros(prompts, 5, 8)
    tokens[:, :, 1] = 1.0
    tokens[:, 3] = torch.eye(8)[0] * -7  # its direction counts, not its length
    return TextFeatures(tokens, tokens, torch.ones(prompts, 5, dtype=bool), False)


@torch.no_grad()
def test_scores_and_boxes_are_as_worked_by_hand(predictor):
    pictures = predictor.encode_pictures((torch.zeros(1, 4, 1, 1),))
    meta = dict(img_shape=(16, 20), scale_factor=(0.5, 2.0))
    (result,) = predictor.predict(
        pictures, features(), [[scores_of_two_names()]], [meta]
    )
    cat = torch.tensor(0.49)
    dog = (torch.logit(cat) - 1).sigmoid()
    assert result.labels.tolist() == [0, 1]
    torch.testing.assert_close(result.scores, (torch.stack((cat, dog)) * 0.25).sqrt())
    # The anchor, from -28 to 35, is cut to 0..19 and 0..15, scaled, and half-open.
    expected = torch.tensor([[0.0, 0.0, 19 / 0.5 + 1, 15 / 2 + 1]] * 2)
    torch.testing.assert_close(result.bboxes, expected)
    (result,) = predictor.predict(
        pictures, features(), [[scores_of_two_names()]], [meta], rescale=False
    )
    torch.testing.assert_close(result.bboxes, torch.tensor([[0.0, 0.0, 20, 16]] * 2))


@torch.no_grad()
@pytest.mark.parametrize(
    ('smallest', 'count'), [(-1, 2), (0, 2), (8, 2), (8.5, 0), (30, 0)]
)
def test_detections_that_are_not_larger_are_left_out(predictor, smallest, count):
    pictures = predictor.encode_pictures((torch.zeros(1, 4, 1, 1),))
    # In pixels of the picture they are 39 wide and 8.5 high.
    meta = dict(img_shape=(16, 20), scale_factor=(0.5, 2.0))
    predictor.cfg = CFG | dict(min_bbox_size=smallest)
    (result,) = predictor.predict(
        pictures, features(), [[scores_of_two_names()]], [meta]
    )
    assert len(result.bboxes) == count


@torch.no_grad()
def test_the_threshold_is_on_the_score_before_centerness(predictor):
    pictures = predictor.encode_pictures((torch.zeros(1, 4, 1, 1),))
    predictor.cfg = CFG | dict(score_thr=0.4)
    (result,) = predictor.predict(
        pictures, features(), [[scores_of_two_names()]], [dict(img_shape=(16, 16))]
    )
    assert result.labels.tolist() == [0]  # 0.49 passes though 0.49 * 0.25 would not


@torch.no_grad()
def test_prompts_of_several_pictures_keep_to_their_pictures(predictor):
    pictures = predictor.encode_pictures((torch.zeros(2, 4, 1, 1),))
    scores = scores_of_two_names()
    results = predictor.predict(
        pictures,
        features(prompts=3),
        [[scores], [scores, scores]],
        [dict(img_shape=(16, 16)), dict(img_shape=(8, 8))],
    )
    assert [result.bboxes.amax().item() for result in results] == [16, 8]
    # The second picture sees every name twice, at one place.
    assert [sorted(result.labels.tolist()) for result in results] == [[0, 1]] * 2
