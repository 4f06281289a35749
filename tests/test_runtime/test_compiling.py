"""``compile`` of a config: what it compiles, the same losses, a missing compiler."""

import copy
from pathlib import Path

import pytest
import torch
import two_processes as two
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import nn
from torch._inductor import config as inductor

from glip.engine.run import run_training
from glip.errors import ConfigError, TrainingError
from glip.registry import DATASETS, MODELS
from glip.runtime.compiling import compile_errors_explained, compile_parts


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@MODELS.register_module()
class CompiledToy(BaseModel):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Linear(2, 4), nn.GELU(), nn.Linear(4, 1))

    def forward(self, x, mode='tensor'):
        y = self.backbone(x)
        return {'loss': (y**2).mean()} if mode == 'loss' else y


@DATASETS.register_module()
class FourPoints:
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(x=torch.full((2,), float(index)))


def config(work_dir: Path, **more) -> Config:
    cfg = two.config(work_dir, batch_size=2, **more)
    cfg.model = dict(type='CompiledToy')
    cfg.train_dataloader.dataset = dict(type='FourPoints')
    cfg.train_dataloader.collate_fn = dict(type='default_collate')
    cfg.optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
    cfg.experiment_name = 'toy'
    return cfg


def test_the_runner_compiles_the_networks(tmp_path):
    plain = run_training(config(tmp_path / 'plain'))
    options = dict(backend='aot_eager', target='train_step')
    cfg = config(tmp_path / 'compiled', compile=options)
    compiled = run_training(cfg)
    assert 'forward' not in vars(plain.model.backbone)
    assert 'forward' in vars(compiled.model.backbone)
    assert torch._dynamo.utils.counters['stats']['unique_graphs'] >= 1
    ours = torch.load(tmp_path / 'compiled' / 'epoch_1.pth', weights_only=False)
    theirs = torch.load(tmp_path / 'plain' / 'epoch_1.pth', weights_only=False)
    torch.testing.assert_close(
        ours['state_dict'], theirs['state_dict'], rtol=1e-5, atol=1e-6
    )


def glip() -> nn.Module:
    """A tiny one with three levels, as tracing takes long."""
    cfg = copy.deepcopy(two.MODEL)
    cfg['backbone']['depths'] = [1, 1, 1, 1]
    cfg['neck']['num_outs'] = 3
    cfg['bbox_head']['anchor_generator'] = dict(
        type='AnchorGenerator',
        ratios=[1.0],
        octave_base_scale=8,
        scales_per_octave=1,
        strides=[8, 16, 32],
    )
    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry('glip'):
        return MODELS.build(cfg).train()


def losses(model: nn.Module, batch: list[dict]) -> tuple[dict, list]:
    data = dict(
        inputs=[picture['inputs'] for picture in batch],
        data_samples=[picture['data_samples'] for picture in batch],
    )
    data = model.data_preprocessor(data, training=True)
    model.zero_grad()
    found = model(data['inputs'], data['data_samples'], mode='loss')
    sum(found.values()).backward()
    return found, [p.grad for p in model.parameters()]


@pytest.mark.slow
def test_losses_are_the_same_and_prompts_compile_nothing_anew():
    model, compiled = glip(), glip()
    compile_parts(compiled, dict(backend='eager'))
    batch = two.pictures()
    counters = torch._dynamo.utils.counters
    graphs = []
    for first in (0, 2, 4):  # other prompts, other numbers of boxes
        pictures = batch[first : first + 2]
        torch.testing.assert_close(
            losses(compiled, pictures), losses(model, pictures), rtol=1e-5, atol=1e-6
        )
        graphs.append(counters['stats']['unique_graphs'])
    assert graphs[0] >= 5  # backbone, neck, fusion, its BERT layer, tower
    assert graphs[1] == graphs[2]
    assert not counters['graph_break']
    assert compiled.state_dict().keys() == model.state_dict().keys()
    compiled.eval()
    before = counters['stats']['unique_graphs']
    with torch.no_grad():
        for net in (compiled, copy.deepcopy(compiled)):
            net.extract_feat(torch.zeros(1, 3, 64, 64))
    assert counters['stats']['unique_graphs'] == before


@pytest.mark.parametrize(
    'value,said',
    [
        ('yes', "compile='yes' must be True, False or a dict"),
        (dict(backnd='eager'), 'torch.compile has no argument backnd'),
    ],
)
def test_what_is_no_option_is_refused_before_the_data_is_read(value, said, tmp_path):
    cfg = config(tmp_path, compile=value)
    cfg.train_dataloader.dataset = dict(type='NoSuchData')
    with pytest.raises(ConfigError, match=said):
        run_training(cfg)


@inductor.patch({'cpp.cxx': ('no-such-compiler',), 'force_disable_caches': True})
def test_a_missing_compiler_is_one_line(tmp_path):
    with pytest.raises(TrainingError) as error:
        run_training(config(tmp_path, compile=True))
    said = str(error.value)
    assert said.startswith('torch.compile failed') and '\n' not in said
    assert 'g++' in said and 'compile=False' in said


def test_an_unknown_backend_is_one_line(tmp_path):
    with pytest.raises(TrainingError, match=r'torch\.compile failed \(.*fast'):
        run_training(config(tmp_path, compile=dict(backend='fast')))


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match='shapes differ') as error:
        with compile_errors_explained(True):
            raise RuntimeError('shapes differ')
    assert not isinstance(error.value, TrainingError)
