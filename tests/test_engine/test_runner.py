"""Checkpoints of a training run: safe to read, never half-written, never misfitting."""

import os
import pickle

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import nn

from glip.checkpoints.latest import latest_checkpoint
from glip.engine.runner import GLIPRunner
from glip.errors import CheckpointError
from glip.registry import RUNNERS


class Part(nn.Module):
    """Stands for a part with pretrained weights of its own."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.skip_pretrained = False
        self.init_cfg = dict(type='Pretrained', checkpoint='http://nowhere.invalid/x')
        self.fetched = 0

    def init_weights(self):
        self.fetched += not self.skip_pretrained


class Toy(BaseModel):
    def __init__(self):
        super().__init__()
        self.language_model = Part()
        self.bbox_head = nn.Linear(2, 1)

    def init_weights(self):
        self.language_model.init_weights()

    def forward(self, x, mode='tensor'):
        y = self.bbox_head(self.language_model.linear(x))
        return {'loss': (y**2).mean()} if mode == 'loss' else y


def build(work_dir, *, epochs=2, **cfg) -> GLIPRunner:
    torch.manual_seed(0)
    hooks = cfg.pop('custom_hooks', None)
    options = dict(
        work_dir=str(work_dir),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        train_dataloader=dict(
            dataset=[dict(x=x) for x in torch.ones(4, 2)],
            batch_size=2,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        ),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.01)),
        param_scheduler=[dict(type='MultiStepLR', milestones=[1], by_epoch=True)],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        custom_hooks=hooks,
        log_level='ERROR',
        cfg=Config(cfg),
        experiment_name='toy',
    )
    options |= {k: cfg[k] for k in ('load_from', 'resume') if k in cfg}
    return GLIPRunner(model=Toy(), **options)


def same(one: nn.Module, other: dict) -> bool:
    return all(torch.equal(t, other[n]) for n, t in one.state_dict().items())


@pytest.fixture
def trained(tmp_path):
    runner = build(tmp_path / 'run')
    runner.train()
    return runner


def test_it_is_in_the_registry():
    assert RUNNERS.get('GLIPRunner') is GLIPRunner


def test_resume_goes_on_from_the_last_epoch(trained):
    folder = trained.work_dir
    resumed = build(folder, epochs=4, resume=True)
    resumed.train()
    assert resumed.epoch == 4
    straight = build(folder + '-straight', epochs=4)
    straight.train()
    assert same(resumed.model, straight.model.state_dict())
    assert resumed.model.language_model.fetched == 0
    assert straight.model.language_model.fetched == 1
    assert resumed.message_hub.get_scalar('train/loss').data[0].size == 8


def test_runs_that_start_within_one_second_share_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.time.time', lambda: 0.0)
    names = ('first', 'second')
    runs = [build(tmp_path / name) for name in names]
    for name, run in zip(names, runs, strict=True):
        run.train()
        history, _ = run.message_hub.get_scalar('train/loss').data
        assert len(history) == 4  # two epochs of two steps
        run.logger.error('only in %s', name)
        log = tmp_path / name / run.timestamp / f'{run.timestamp}.log'
        assert log.read_text().count('only in') == 1


def test_resume_takes_the_log_history_without_running_code(trained, monkeypatch):
    monkeypatch.setattr(
        pickle, 'Unpickler', lambda *a, **k: pytest.fail('unpickled without a guard')
    )
    runner = build(trained.work_dir, epochs=3, resume=True)
    runner.train()
    assert runner.epoch == 3


def test_a_half_written_checkpoint_never_counts(trained):
    folder = trained.work_dir
    whole = os.path.join(folder, 'epoch_1.pth')
    with open(os.path.join(folder, 'epoch_2.pth'), 'r+b') as file:
        file.truncate(500)
    assert str(latest_checkpoint(folder)) == whole
    resumed = build(folder, epochs=2, resume=True)
    resumed.train()
    assert latest_checkpoint(folder).name == 'epoch_2.pth'


def test_last_checkpoint_may_be_empty_stale_or_moved(trained, tmp_path):
    folder = trained.work_dir
    pointer = os.path.join(folder, 'last_checkpoint')
    for text in ('', '/gone/epoch_9.pth', '/moved/epoch_2.pth'):
        with open(pointer, 'w') as file:
            file.write(text)
        assert latest_checkpoint(folder).name == 'epoch_2.pth'
    os.rename(os.path.join(folder, 'epoch_2.pth'), os.path.join(folder, 'best_x.pth'))
    assert latest_checkpoint(folder).name == 'epoch_1.pth'
    assert latest_checkpoint(tmp_path / 'none') is None


def test_resume_without_a_checkpoint_starts_from_the_beginning(tmp_path):
    runner = build(tmp_path / 'run', epochs=1, resume=True)
    runner.train()
    assert runner.epoch == 1 and runner.model.language_model.fetched == 1


def test_an_interrupted_write_leaves_no_checkpoint(tmp_path, monkeypatch):
    from mmengine.fileio import LocalBackend

    def die(self, obj, filepath):
        with open(filepath, 'wb') as file:
            file.write(obj[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalBackend, 'put', die)
    runner = build(tmp_path / 'run')
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    assert not [name for name in os.listdir(runner.work_dir) if name.endswith('.pth')]
    assert latest_checkpoint(runner.work_dir) is None


def test_load_from_any_layout_and_strictly(trained, tmp_path):
    state = trained.model.state_dict()
    path = tmp_path / 'w.pth'
    torch.save({'model': {f'module.{n}': t for n, t in state.items()}}, path)
    runner = build(tmp_path / 'a', epochs=1, load_from=str(path))
    runner.load_or_resume()
    assert same(runner.model, state)

    torch.save({n: t for n, t in state.items() if n != 'bbox_head.bias'}, path)
    runner = build(tmp_path / 'b', load_from=str(path))
    before = {n: t.clone() for n, t in runner.model.state_dict().items()}
    with pytest.raises(CheckpointError, match='1 missing'):
        runner.train()
    assert same(runner.model, before)
    loose = build(tmp_path / 'c', load_from=str(path), load_strict=False)
    loose.load_or_resume()
    assert torch.equal(loose.model.bbox_head.weight, state['bbox_head.weight'])


def test_with_weights_to_come_nothing_pretrained_is_fetched(trained, tmp_path):
    path = os.path.join(trained.work_dir, 'epoch_2.pth')
    runner = build(tmp_path / 'next', epochs=1, load_from=path)
    runner.train()
    assert runner.epoch == 1
    assert runner.model.language_model.fetched == 0
    assert runner.model.language_model.init_cfg is None


def test_resume_from_weights_alone_is_refused(trained, tmp_path):
    path = tmp_path / 'w.pth'
    torch.save({'state_dict': trained.model.state_dict(), 'meta': {}}, path)
    runner = build(tmp_path / 'a', resume=True, load_from=str(path))
    with pytest.raises(CheckpointError, match='no training to resume'):
        runner.train()


def test_a_config_inside_a_checkpoint_is_not_executed(trained, tmp_path):
    path = os.path.join(trained.work_dir, 'epoch_2.pth')
    content = torch.load(path, weights_only=False)
    marker = tmp_path / 'ran'
    content['meta']['config'] = f'import os\nos.mkdir({str(marker)!r})'
    torch.save(content, path)
    runner = build(trained.work_dir, epochs=3, resume=True)
    runner.train()
    assert runner.epoch == 3 and not marker.exists()


def test_averaged_weights_are_saved_loaded_and_resumed(tmp_path):
    hooks = [dict(type='EMAHook', momentum=0.5)]
    first = build(tmp_path / 'run', custom_hooks=hooks)
    first.train()
    path = str(latest_checkpoint(first.work_dir))
    averaged = first.hooks
    ema = next(h for h in averaged if type(h).__name__ == 'EMAHook').ema_model.module
    assert not same(first.model, ema.state_dict())

    loaded = build(tmp_path / 'test', load_from=path)
    loaded.load_or_resume()
    assert same(loaded.model, ema.state_dict())

    resumed = build(first.work_dir, epochs=4, resume=True, custom_hooks=hooks)
    resumed.train()
    straight = build(tmp_path / 'straight', epochs=4, custom_hooks=hooks)
    straight.train()
    assert same(resumed.model, straight.model.state_dict())
