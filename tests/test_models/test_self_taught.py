"""Targets that mix what people drew with what the start scores."""

import copy

import pytest
import torch

from glip.errors import ConfigError
from glip.models import SelfTaughtGLIP
from glip.models.dense_heads.targets import Targets

from .conftest import TINY, build, sample, with_boxes

BOX = [8.0, 8.0, 40.0, 48.0]


def make(share, **options):
    cfg = copy.deepcopy(TINY) | dict(
        type='SelfTaughtGLIP', teacher_share=share, **options
    )
    torch.manual_seed(0)
    model = build(cfg)
    torch.manual_seed(1)
    model.set_teacher(build(copy.deepcopy(TINY)))
    return model.eval()


def losses_of(model, boxes=(BOX,), names=('cat', 'dog')):
    labels = [1] * len(boxes)
    data = with_boxes(sample((64, 64), list(names)), list(boxes), labels)
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    return model(picture, [data], mode='loss')


def test_teacher_is_neither_saved_nor_trained():
    model = make(0.5)
    assert not any('teacher' in name for name in model.state_dict())
    names = [name for name, _ in model.named_parameters()]
    assert not any('teacher' in name for name in names)
    sum(losses_of(model).values()).backward()
    assert all(p.grad is None for p in model.teacher.parameters())
    assert any(p.grad is not None for p in model.bbox_head.parameters())


def test_losses_are_finite_without_boxes():
    losses = losses_of(make(0.5), boxes=())
    assert set(losses) == {'loss_soft', 'loss_bbox', 'loss_centerness'}
    assert all(torch.isfinite(loss).all() for loss in losses.values())


def test_a_teacher_alone_is_imitated():
    """With all the share, a student equal to its teacher has nothing to learn."""
    model = make(1.0)
    model.teacher.load_state_dict(model.state_dict())
    assert losses_of(model)['loss_soft'].item() == pytest.approx(0, abs=1e-9)
    assert losses_of(make(1.0))['loss_soft'] > 1e-5


def test_people_alone_are_heard_without_a_teacher():
    one, other = make(0.0), make(0.0)
    torch.manual_seed(7)
    other.set_teacher(build(copy.deepcopy(TINY)))
    assert losses_of(one)['loss_soft'] == losses_of(other)['loss_soft']


def test_the_target_of_a_drawn_word_is_the_quality_of_the_box():
    """Worked by hand for one anchor that has a box and one that has none."""
    model = make(0.25, soft_loss_weight=1.0)
    prompt = model.single_prompts([sample((64, 64), ['cat', 'dog'])], truncate=True)
    cat, dog = (tokens[0] for tokens in prompt[0].entity_tokens)
    width = len(prompt[0].input_ids)
    logits = torch.zeros(1, 2, width)  # probability 0.5 everywhere
    teacher = torch.full((1, 2, width), 0.4)
    tokens = torch.zeros(1, 2, width, dtype=torch.bool)
    tokens[0, 0, dog] = True
    positive = torch.tensor([[True, False]])
    targets = Targets(positive, torch.zeros(1, 2, 4), torch.zeros(1, 2), tokens)
    loss = model._soft_loss(
        logits, teacher, torch.tensor([[0.8, 0.0]]), targets, prompt
    )
    # dog at the first anchor: 0.25 * 0.4 + 0.75 * 0.8 = 0.7; all others: 0.1.
    # Binary cross-entropy at probability 0.5 is log 2, whatever the target.
    expected = 0.6931472 * ((0.5 - 0.7) ** 2 + 3 * (0.5 - 0.1) ** 2)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert cat != dog


def test_people_decide_about_a_word_that_the_teacher_does_not_know():
    """As above, but the teacher is silent on 'dog' all over the picture."""
    model = make(0.25, soft_loss_weight=1.0)
    prompt = model.single_prompts([sample((64, 64), ['cat', 'dog'])], truncate=True)
    cat, dog = (tokens[0] for tokens in prompt[0].entity_tokens)
    width = len(prompt[0].input_ids)
    teacher = torch.full((1, 2, width), 0.4)
    teacher[..., dog] = 0.002
    tokens = torch.zeros(1, 2, width, dtype=torch.bool)
    tokens[0, 0, dog] = True
    positive = torch.tensor([[True, False]])
    targets = Targets(positive, torch.zeros(1, 2, 4), torch.zeros(1, 2), tokens)
    qualities = torch.tensor([[0.8, 0.0]])
    loss = model._soft_loss(
        torch.zeros(1, 2, width), teacher, qualities, targets, prompt
    )
    # dog: 0.8 and 0; cat: 0.1 at both anchors.
    expected = 0.6931472 * (0.3**2 + 0.5**2 + 2 * 0.4**2)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_mistakes_are_told():
    with pytest.raises(ConfigError, match='teacher_share'):
        make(1.5)
    model = build(copy.deepcopy(TINY) | dict(type='SelfTaughtGLIP'))
    assert isinstance(model, SelfTaughtGLIP)
    with pytest.raises(ConfigError, match='SelfTeacherHook'):
        losses_of(model)
