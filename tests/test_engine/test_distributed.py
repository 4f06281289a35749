"""Two processes train like one with the doubled batch, by DDP and by FSDP."""

from pathlib import Path

import pytest
import torch
import two_processes as two
from mmengine.model import MMDistributedDataParallel

from glip.engine.run import build_runner
from glip.engine.sharding import ShardedModel, sharding_options
from glip.errors import ConfigError
from glip.registry import MODELS

pytestmark = pytest.mark.slow

# Gradients that are zero but for rounding, as of a key's bias, are not compared.
NOISE = 1e-7


def model():
    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry('glip'):
        built = MODELS.build(two.MODEL)
    built.init_weights()
    return built.train()


def gradients(net, batch: list[dict]) -> tuple[dict, dict]:
    """Losses and gradients of a batch."""
    data = dict(
        inputs=[picture['inputs'] for picture in batch],
        data_samples=[picture['data_samples'] for picture in batch],
    )
    inner = net.module if hasattr(net, 'module') else net
    data = inner.data_preprocessor(data, training=True)
    net.zero_grad()
    losses = net(data['inputs'], data['data_samples'], mode='loss')
    sum(losses.values()).backward()
    named = {n.removeprefix('module.'): p.grad for n, p in net.named_parameters()}
    return losses, {n: None if g is None else g.clone() for n, g in named.items()}


def detections(net) -> list[torch.Tensor]:
    """Boxes of the model in evaluation mode."""
    batch = two.pictures()[:2]
    data = dict(
        inputs=[picture['inputs'] for picture in batch],
        data_samples=[picture['data_samples'] for picture in batch],
    )
    with torch.no_grad():
        return [s.pred_instances.bboxes for s in net.eval().test_step(data)]


def alone(rank: int) -> dict:
    """What one process detects with gathered weights while the other waits."""
    sharded = ShardedModel(model())
    sharded.unshard()
    boxes = detections(sharded.model) if rank == 0 else None
    sharded.reshard()
    return dict(boxes=boxes, share=local_size(sharded.model))


def local_size(net) -> int:
    return sum(p.to_local().numel() for p in net.parameters())


def work(rank: int, folder: Path) -> None:
    """All that needs two processes, as starting them takes longest."""
    net = MMDistributedDataParallel(model(), device_ids=None, broadcast_buffers=False)
    batch = two.pictures()
    results = dict(
        mixed=gradients(net, batch[:4][rank::2]),
        # The second process has no box, then none of them has.
        empty_there=gradients(net, [batch[2 * rank], batch[1]]),
        none=gradients(net, [batch[(1, 3)[rank]]]),
    )
    torch.save(results, folder / f'gradients_{rank}.pth')
    runner = two.train(two.config(folder / 'ddp', batch_size=2, launcher='pytorch'))
    assert type(runner.model).__name__ == 'MMDistributedDataParallel'
    wrapper = dict(type='FullyShardedDataParallel')
    sharded = dict(launcher='pytorch', model_wrapper_cfg=wrapper)
    runner = two.train(two.config(folder / 'fsdp', batch_size=2, **sharded))
    torch.save(local_size(runner.model), folder / f'share_{rank}.pth')
    torch.save(alone(rank), folder / f'alone_{rank}.pth')
    more = dict(epochs=2, batch_size=2, resume=True)
    two.train(two.config(folder / 'fsdp', **more, **sharded))
    more['load_from'] = str(folder / 'ddp' / 'epoch_1.pth')
    two.train(two.config(folder / 'fsdp_from_ddp', **more, **sharded))
    kept = two.config(folder / 'kept', batch_size=2, **sharded)
    kept.model_wrapper_cfg.reshard_after_forward = False
    two.train(kept)
    checkpointed = sharded | dict(use_checkpoint=True)
    two.train(two.config(folder / 'checkpointed', batch_size=2, **checkpointed))
    half = two.config(folder / 'half', batch_size=2, **sharded)
    half.optim_wrapper.type = 'AmpOptimWrapper'
    two.train(half)
    averaged = two.config(folder / 'averaged', batch_size=2, **sharded)
    averaged.custom_hooks = [dict(type='EMAHook')]
    with pytest.raises(ConfigError, match='average'):
        two.train(averaged)


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Results of two processes, and of one in ``single``."""
    path = tmp_path_factory.mktemp('two')
    two.in_two_processes(work, path)
    two.train(two.config(path / 'single', epochs=2))
    return path


def state(path: Path, epoch: int = 1) -> dict:
    return torch.load(path / f'epoch_{epoch}.pth', weights_only=False)


def assert_same_weights(path: Path, other: Path, epoch: int = 1, **close) -> None:
    ours, theirs = (state(p, epoch)['state_dict'] for p in (path, other))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert tensor.shape == theirs[name].shape, name
        torch.testing.assert_close(
            tensor, theirs[name], **(dict(rtol=1e-4, atol=1e-6) | close)
        )


@pytest.mark.parametrize(
    'case,pictures,factor',
    [
        ('mixed', (0, 1, 2, 3), 1.0),
        ('empty_there', (0, 1, 2, 1), 1.0),
        # With fewer positives than processes each divides by one, as the original.
        ('none', (1, 3), 0.5),
    ],
)
def test_gradients_are_those_of_the_doubled_batch(folder, case, pictures, factor):
    batch = two.pictures()
    losses, expected = gradients(model(), [batch[i] for i in pictures])
    ranks = [torch.load(folder / f'gradients_{rank}.pth')[case] for rank in (0, 1)]
    for name, loss in losses.items():
        mean = sum(results[name].item() for results, _ in ranks) / 2
        assert mean == pytest.approx(loss.item() * factor, rel=1e-5, abs=1e-7), name
    for name, gradient in expected.items():
        assert gradient is not None, name  # nothing is unused
        for _, results in ranks:
            torch.testing.assert_close(
                results[name],
                gradient * factor,
                rtol=1e-4,
                atol=max(1e-5 * gradient.abs().max().item(), NOISE),
                msg=lambda text, name=name: f'{name}: {text}',
            )


@pytest.mark.parametrize('way', ['ddp', 'fsdp', 'kept', 'checkpointed'])
def test_training_is_that_of_one_process(folder, way):
    assert_same_weights(folder / way, folder / 'single')


def test_a_resumed_share_continues_as_if_it_had_not_stopped(folder):
    assert_same_weights(folder / 'fsdp', folder / 'single', epoch=2)
    assert_same_weights(folder / 'fsdp_from_ddp', folder / 'single', epoch=2)


def test_half_precision_of_shares_stays_close(folder):
    close = dict(rtol=0.05, atol=2e-3)
    assert_same_weights(folder / 'half', folder / 'single', **close)


def test_one_process_goes_on_from_shares(folder):
    path = folder / 'one_from_fsdp'
    cfg = two.config(path, epochs=2, resume=True)
    cfg.load_from = str(folder / 'fsdp' / 'epoch_1.pth')
    two.train(cfg)
    assert_same_weights(path, folder / 'single', epoch=2)


def test_each_process_holds_half(folder):
    shares = [torch.load(folder / f'share_{rank}.pth') for rank in (0, 1)]
    whole = sum(p.numel() for p in model().parameters())
    assert whole <= sum(shares) <= whole + 100  # padding
    assert max(shares) < 0.6 * whole


def test_one_process_evaluates_without_the_other(folder):
    results = [torch.load(folder / f'alone_{rank}.pth') for rank in (0, 1)]
    for boxes, expected in zip(results[0]['boxes'], detections(model()), strict=True):
        torch.testing.assert_close(boxes, expected)
    shares = [torch.load(folder / f'share_{rank}.pth') for rank in (0, 1)]
    assert [result['share'] for result in results] == shares


def test_the_runner_of_old_configs_names_what_to_use(tmp_path):
    cfg = two.config(tmp_path, runner_type='GLIPFlexibleRunner')
    with pytest.raises(ConfigError, match='model_wrapper_cfg'):
        build_runner(cfg)


def test_unknown_arguments_of_sharding_are_refused():
    options = dict(type='FullyShardedDataParallel', sharding_strategy='FULL')
    with pytest.raises(ConfigError, match='sharding_strategy'):
        sharding_options(options)
    assert sharding_options(dict(type='MMDistributedDataParallel')) is None


def test_a_checkpoint_of_shares_is_an_ordinary_one(folder):
    ours, theirs = state(folder / 'fsdp'), state(folder / 'single')
    assert ours['meta']['epoch'] == theirs['meta']['epoch'] == 1
    assert ours['meta']['iter'] == theirs['meta']['iter'] == 2
    optimizer, other = ours['optimizer'], theirs['optimizer']
    assert optimizer['state'].keys() == other['state'].keys()
    for i, expected in other['state'].items():
        for key, value in expected.items():
            torch.testing.assert_close(
                optimizer['state'][i][key], value, rtol=1e-3, atol=1e-6
            )
    for mine, group in zip(
        optimizer['param_groups'], other['param_groups'], strict=True
    ):
        assert mine['params'] == group['params']
        assert (mine['lr'], mine['name']) == (group['lr'], group['name'])
    left = [p.name for p in (folder / 'fsdp').iterdir() if p.name.endswith('.part')]
    assert not left
