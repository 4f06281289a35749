"""From token logits to classes, against the recorded and against plain rules."""

import official
import pytest
import torch

from glip.models import postprocess
from glip.models.cpu.selection import select_candidates as select_among_few
from glip.models.postprocess import (
    AGGREGATIONS,
    Candidates,
    EntityScores,
    merge_candidates,
    select_candidates,
)
from glip.ops import batched_nms_inclusive, plain_path
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
def test_recorded_aggregation(how):
    logits = 2 * official.unit('agg.p', (1, 20, 16)).float()
    scores_of = EntityScores(
        encoded([[1], [3, 4], [6, 7, 8]]), 16, torch.device('cpu'), how
    )
    assert scores_of.tokens.tolist() == [1, 3, 4, 6, 7, 8]
    recorded = official.arrays('ops')[f'agg.v2.{how}']
    expected = torch.from_numpy(recorded)[0, :, :3]
    found = scores_of(logits[0, :, scores_of.tokens])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_aggregations_by_hand():
    logits = torch.tensor([[0.9, 0.1, 0.2, 0.8, 0.5]]).logit()
    cases = dict(
        MEAN=([0, 2, 3], [0.9, 0.5]),
        MAX=([0, 2, 3], [0.9, 0.8]),
        POWER=([0, 2, 3], [0.9, (0.2 * 0.8) ** 0.5]),
        ONEHOT=([0, 1], [0.9, 0.1]),
    )
    for how, (tokens, expected) in cases.items():
        scores_of = EntityScores(encoded([[0], [2, 3]]), 5, torch.device('cpu'), how)
        assert scores_of.tokens.tolist() == tokens
        found = scores_of(logits[:, scores_of.tokens])
        torch.testing.assert_close(found, torch.tensor([expected]))


@pytest.mark.parametrize('how', ['MEAN', 'MAX', 'POWER'])
def test_an_entity_without_tokens_is_never_found(how):
    scores_of = EntityScores(encoded([[1], []]), 4, torch.device('cpu'), how)
    scores = scores_of(torch.full((3, len(scores_of.tokens)), 9.0))
    assert (scores[:, 0] > 0.9).all()
    assert (scores[:, 1] == 0).all()
    nothing = EntityScores(encoded([[], []]), 4, torch.device('cpu'), how)
    assert (nothing(torch.full((3, len(nothing.tokens)), 9.0)) == 0).all()


@pytest.fixture(params=['few', 'all'])
def select(request):
    """Both ways to the candidates; where there is none, one of them says so."""

    def run(*args, **fields):
        form = select_candidates if request.param == 'all' else select_among_few
        found = form(*args, **fields)
        real = found.scores >= 0
        assert request.param == 'all' or real.all()
        return Candidates(*(x[real] for x in found))

    return run


def test_threshold_is_on_the_class_and_top_k_on_the_product(select):
    logits = torch.tensor([[0.9], [0.8], [0.04], [0.7]]).logit()
    centerness = torch.tensor([0.1, 0.9, 0.9, 0.8])
    scores_of = EntityScores(encoded([[0]]), 1, torch.device('cpu'))

    def run(nms_pre):
        return select(
            logits, centerness, scores_of, [4], score_thr=0.05, nms_pre=nms_pre
        )

    found = run(2)
    assert found.places.tolist() == [1, 3]
    torch.testing.assert_close(found.scores, torch.tensor([0.72, 0.56]))
    assert found.labels.tolist() == [0, 0]
    # The third is under the threshold though its product with centerness is not last.
    assert len(run(-1).places) == 3
    assert len(run(100).places) == 3


def test_a_sure_class_off_the_center_is_kept(select):
    """Its product with centerness is below the threshold; the score alone is not."""
    found = select(
        torch.tensor([[0.06], [0.04]]).logit(),
        torch.tensor([0.1, 0.99]),
        EntityScores(encoded([[0]]), 1, torch.device('cpu')),
        [1, 1],
        score_thr=0.05,
        nms_pre=10,
    )
    assert found.places.tolist() == [0]
    torch.testing.assert_close(found.scores, torch.tensor([0.006]))


@pytest.mark.parametrize('how', AGGREGATIONS)
@pytest.mark.parametrize('score_thr', [0.0, 0.05, 0.3, 1.0])
@pytest.mark.parametrize('nms_pre', [0, 7, 50, 10_000])
def test_positions_left_out_have_no_candidates(how, score_thr, nms_pre):
    generator = torch.Generator().manual_seed(0)
    scores_of = EntityScores(
        encoded(
            [[1, 2], [4], [6, 7, 8], []], labels=(5, 0, 2, 1), names=list('abcdef')
        ),
        16,
        torch.device('cpu'),
        how,
    )
    sizes = [300, 80, 20, 1]
    shape = (sum(sizes), len(scores_of.tokens))
    logits = torch.randn(shape, generator=generator) * 2 - 3
    centerness = torch.rand(sum(sizes), generator=generator)
    fields = dict(score_thr=score_thr, nms_pre=nms_pre)
    few = select_among_few(logits, centerness, scores_of, sizes, **fields)
    every = select_candidates(logits, centerness, scores_of, sizes, **fields)
    with plain_path():
        plain = select_among_few(logits, centerness, scores_of, sizes, **fields)
    assert all(map(torch.equal, plain, every))

    def listed(found):
        return sorted(
            (place, label, round(score, 5))
            for place, score, label in zip(*(x.tolist() for x in found), strict=True)
            if score >= 0
        )

    assert listed(few) == listed(every)
    assert bool(listed(few)) == (score_thr < 1)


def test_half_precision_and_nan_pass():
    scores_of = EntityScores(encoded([[0]]), 1, torch.device('cpu'))
    logits = torch.tensor([[float('nan')], [3.0], [float('inf')]]).bfloat16()
    found = select_among_few(
        logits, torch.ones(3), scores_of, [3], score_thr=0.05, nms_pre=9
    )
    assert found.places.tolist() == [1, 2] and found.scores.dtype is torch.float32


def merge(boxes, scores, labels, **fields):
    return merge_candidates(scores, labels, lambda index: boxes[index], **fields)


def test_several_entities_of_one_class_share_its_nms(select):
    scores_of = EntityScores(
        encoded([[0], [1]], labels=(0, 0), names=['pet']), 2, torch.device('cpu')
    )
    found = select(
        torch.tensor([[0.9, 0.8]]).logit(),
        torch.ones(1),
        scores_of,
        [1],
        score_thr=0.05,
        nms_pre=10,
    )
    assert len(found.places) == 2
    boxes, scores, labels = merge(
        torch.tensor([[0.0, 0, 9, 9]])[found.places],
        found.scores,
        found.labels,
        iou_threshold=0.6,
        max_per_img=10,
    )
    assert len(boxes) == 1
    assert scores.item() == pytest.approx(0.9, abs=1e-3)


def test_the_limit_keeps_the_best():
    boxes = torch.arange(10.0)[:, None].repeat(1, 4) * 100
    scores = torch.linspace(0.1, 0.9, 10)
    labels = torch.zeros(10).long()
    for limit, expected in ((3, scores.flip(0)[:3]), (0, scores.flip(0))):
        _, kept, _ = merge(boxes, scores, labels, iou_threshold=0.5, max_per_img=limit)
        torch.testing.assert_close(kept, expected)
    nothing = merge(boxes[:0], scores[:0], labels[:0], iou_threshold=0.5, max_per_img=3)
    assert [len(part) for part in nothing] == [0, 0, 0]


@pytest.mark.parametrize('limit', [1, 20, 60, 10_000, 0])
@pytest.mark.parametrize('growth', [2, 100])
def test_nms_of_the_best_first_is_nms_of_all(monkeypatch, limit, growth):
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(500, 2, generator=generator) * 60
    sizes = 10 + torch.rand(500, 2, generator=generator) * 40
    boxes = torch.cat((corners, corners + sizes), 1)
    scores = torch.rand(500, generator=generator)
    labels = torch.randint(3, (500,), generator=generator)
    keep = batched_nms_inclusive(boxes, scores, labels, 0.5)
    assert 60 < len(keep) < 300
    keep = keep[:limit] if limit else keep
    monkeypatch.setattr(postprocess, '_NMS_FIRST', 30)
    monkeypatch.setattr(postprocess, '_NMS_GROWTH', growth)
    found = merge(boxes, scores, labels, iou_threshold=0.5, max_per_img=limit)
    for part, expected in zip(found, (boxes, scores, labels), strict=True):
        assert torch.equal(part, expected[keep])
