"""A loss that is no number ends the training and names the pictures."""

from types import SimpleNamespace

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.logging import MessageHub

from glip.engine.hooks import CheckInvalidLossHook
from glip.errors import TrainingError

SAMPLES = [
    DetDataSample(metainfo=dict(img_path='a/one.jpg', img_id=7)),
    DetDataSample(metainfo=dict(img_path='b/two.jpg')),
]


@pytest.fixture
def runner(tmp_path):
    hub = MessageHub.get_instance(f'hub-{tmp_path.name}')
    return SimpleNamespace(
        work_dir=str(tmp_path),
        iter=41,
        epoch=3,
        message_hub=hub,
        optim_wrapper=SimpleNamespace(),
    )


def look(runner, outputs, **options):
    CheckInvalidLossHook(**options).after_train_iter(
        runner, 1, dict(data_samples=SAMPLES), outputs
    )


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_the_message_says_what_where_and_from_where_to_go_on(runner, tmp_path, value):
    fine = dict(loss=torch.tensor(1.0), loss_cls=torch.tensor(1.0))
    look(runner, fine)
    torch.save({}, tmp_path / 'epoch_3.pth')
    with pytest.raises(TrainingError) as error:
        look(runner, fine | dict(loss_bbox=torch.tensor(value)))
    said = str(error.value)
    assert f'loss_bbox is {value} at iteration 42 (epoch 4)' in said
    assert 'a/one.jpg (id 7), b/two.jpg;' in said
    assert f'the last checkpoint is {tmp_path / "epoch_3.pth"}' in said
    assert said.endswith('lower the learning rate') and '\n' not in said
    runner.optim_wrapper.cast_dtype = torch.bfloat16
    with pytest.raises(TrainingError, match='or train without --amp$'):
        look(runner, dict(loss=torch.tensor(value, requires_grad=True)))


def test_gradients_count_too_unless_they_are_scaled(runner):
    runner.message_hub.update_scalar('train/grad_norm', float('nan'))
    with pytest.raises(TrainingError, match='norm of the gradients is nan.*no check'):
        look(runner, dict(loss=torch.tensor(1.0)))
    runner.optim_wrapper.loss_scaler = torch.amp.GradScaler('cpu')  # leaves them out
    look(runner, dict(loss=torch.tensor(1.0)))


def test_interval(runner):
    look(runner, dict(loss=torch.tensor(float('nan'))), interval=10)
    runner.iter = 39
    with pytest.raises(TrainingError):
        look(runner, dict(loss=torch.tensor(float('nan'))), interval=10)
