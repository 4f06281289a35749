"""The start of a training becomes the teacher of its model."""

from types import SimpleNamespace

import pytest
import torch
from test_models.conftest import TINY, build

from glip.checkpoints import save_state_dict
from glip.engine.hooks import SelfTeacherHook
from glip.errors import CheckpointError, ConfigError


@pytest.fixture
def model():
    torch.manual_seed(0)
    head = TINY['bbox_head'] | dict(residual_gate=0.02)
    return build(TINY | dict(type='SelfTaughtGLIP', bbox_head=head))


def _put_in(model, path, **options):
    hook = SelfTeacherHook(str(path), **options)
    hook.before_train(SimpleNamespace(model=model))


def test_teacher_is_the_file_not_the_model(model, tmp_path):
    path = tmp_path / 'start.safetensors'
    save_state_dict(model.state_dict(), path)
    with torch.no_grad():
        model.bbox_head.head.bias0.add_(1)
    _put_in(model, path)
    taught, learned = model.teacher.bbox_head.head, model.bbox_head.head
    assert taught.bias0.item() == pytest.approx(learned.bias0.item() - 1)
    assert len(taught.dyhead_tower) == len(learned.dyhead_tower)
    assert not any(p.requires_grad for p in model.teacher.parameters())
    assert not model.teacher.training


def test_tower_can_be_left_out_of_the_teacher_alone(model, tmp_path):
    path = tmp_path / 'start.safetensors'
    save_state_dict(model.state_dict(), path)
    _put_in(model, path, tower=False)
    assert len(model.teacher.bbox_head.head.dyhead_tower) == 0
    assert len(model.bbox_head.head.dyhead_tower) == 3


def test_mistakes_are_told(model, tmp_path):
    with pytest.raises(CheckpointError, match=r'none\.pth'):
        _put_in(model, tmp_path / 'none.pth')
    with pytest.raises(ConfigError, match='SelfTaughtGLIP'):
        _put_in(build(TINY), tmp_path / 'none.pth')
