"""From token logits to classes, against the recorded and against plain rules."""

import importlib.util

import numpy as np
import pytest
import torch

from glip.models.postprocess import EntityScores, merge_candidates, select_candidates
from glip.text import TextPrompt
from glip.text.tokenizer import EncodedPrompt


def encoded(entity_tokens, labels=None, names=None):
    """A prompt whose entities have the given tokens; its words do not matter."""
    count = len(entity_tokens)
    names = names or [f'n{i}' for i in range(count)]
    prompt = TextPrompt.from_classes(names)
    if labels is not None:
        prompt = TextPrompt(
            caption=prompt.caption,
            spans=tuple(prompt.spans[0] for _ in range(count)),
            labels=tuple(labels),
            names=prompt.names,
        )
    return EncodedPrompt(prompt, tuple(range(16)), tuple(map(tuple, entity_tokens)))


@pytest.mark.parametrize('how', ['MEAN', 'MAX', 'POWER'])
def test_recorded_aggregation(shared, how):
    folder = shared / 'official'
    spec = importlib.util.spec_from_file_location('fill', folder / 'fill.py')
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    logits = 2 * fill.unit('op.agg.p', (1, 20, 16)).float()
    scores_of = EntityScores(
        encoded([[1], [3, 4], [6, 7, 8]]), 16, torch.device('cpu'), how
    )
    recorded = np.load(folder / 'ops.npz')[f'agg.v2.{how}']
    expected = torch.from_numpy(recorded)[0, :, :3]
    torch.testing.assert_close(scores_of(logits[0]), expected, atol=1e-6, rtol=1e-5)


def test_aggregations_by_hand():
    prob = torch.tensor([[0.9, 0.2, 0.8, 0.5]])
    logits = prob.logit()
    cases = dict(
        MEAN=[0.9, 0.5],
        MAX=[0.9, 0.8],
        POWER=[0.9, (0.2 * 0.8) ** 0.5],
        ONEHOT=[0.9, 0.2],
    )
    for how, expected in cases.items():
        scores_of = EntityScores(encoded([[0], [1, 2]]), 4, torch.device('cpu'), how)
        torch.testing.assert_close(scores_of(logits), torch.tensor([expected]))


@pytest.mark.parametrize('how', ['MEAN', 'MAX', 'POWER'])
def test_an_entity_without_tokens_is_never_found(how):
    scores_of = EntityScores(encoded([[1], []]), 4, torch.device('cpu'), how)
    scores = scores_of(torch.full((3, 4), 9.0))
    assert (scores[:, 0] > 0.9).all()
    assert (scores[:, 1] == 0).all()


def test_threshold_is_on_the_class_and_top_k_on_the_product():
    logits = torch.tensor([[0.9], [0.8], [0.04], [0.7]]).logit()
    centerness = torch.tensor([0.1, 0.9, 0.9, 0.8]).logit()
    boxes = torch.arange(16.0).view(4, 4)
    scores_of = EntityScores(encoded([[0]]), 1, torch.device('cpu'))

    def run(nms_pre):
        return select_candidates(
            [logits], [boxes], [centerness], scores_of, score_thr=0.05, nms_pre=nms_pre
        )

    found, scores, labels = run(2)
    assert found.tolist() == [boxes[1].tolist(), boxes[3].tolist()]
    torch.testing.assert_close(scores, torch.tensor([0.72, 0.56]).sqrt())
    assert labels.tolist() == [0, 0]
    # The third is under the threshold though its product with centerness is not last.
    assert len(run(-1)[0]) == 3
    assert len(run(100)[0]) == 3


def test_a_sure_class_off_the_center_is_kept():
    """Its product with centerness is below the threshold; the score alone is not."""
    found, scores, _ = select_candidates(
        [torch.tensor([[0.06], [0.04]]).logit()],
        [torch.arange(8.0).view(2, 4)],
        [torch.tensor([0.1, 0.99]).logit()],
        EntityScores(encoded([[0]]), 1, torch.device('cpu')),
        score_thr=0.05,
        nms_pre=10,
    )
    assert found.tolist() == [[0, 1, 2, 3]]
    torch.testing.assert_close(scores, torch.tensor([0.006]).sqrt())


def test_several_entities_of_one_class_share_its_nms():
    logits = torch.tensor([[0.9, 0.8]]).logit()
    scores_of = EntityScores(
        encoded([[0], [1]], labels=(0, 0), names=['pet']), 2, torch.device('cpu')
    )
    candidates = select_candidates(
        [logits],
        [torch.tensor([[0.0, 0, 9, 9]])],
        [torch.tensor([9.0])],
        scores_of,
        score_thr=0.05,
        nms_pre=10,
    )
    assert len(candidates[0]) == 2
    boxes, scores, labels = merge_candidates(
        *candidates, iou_threshold=0.6, max_per_img=10
    )
    assert len(boxes) == 1
    assert scores.item() == pytest.approx(0.9**0.5, abs=1e-3)


def test_the_limit_keeps_the_best():
    boxes = torch.arange(10.0)[:, None].repeat(1, 4) * 100
    scores = torch.linspace(0.1, 0.9, 10)
    _, kept, _ = merge_candidates(
        boxes, scores, torch.zeros(10).long(), iou_threshold=0.5, max_per_img=3
    )
    torch.testing.assert_close(kept, scores.flip(0)[:3])
