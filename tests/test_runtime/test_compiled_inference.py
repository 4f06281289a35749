"""``compile_for_inference``: every size by one compilation, the same detections."""

import copy
import pickle
import shutil
from functools import wraps

import numpy as np
import pytest
import torch
import two_processes as two
from mmdet.structures import DetDataSample
from torch import nn
from torch._inductor import config as inductor

from glip.errors import ConfigError
from glip.models.layers.dyhead import DeformConv3x3
from glip.registry import MODELS
from glip.runtime.compiling import compile_for_inference

# Square first, as a size must not be tied to another that is equal by chance. In all of
# them the smallest level is more than one position high and wide, and none crosses the
# size by which torch picks another convolution on the CPU.
SIZES = [(96, 96), (64, 128), (128, 64), (96, 100), (75, 85), (96, 96)]


@pytest.fixture(autouse=True)
def fresh_compiler(one_thread):
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def glip(stages: int = 2, **head) -> nn.Module:
    """An untrained one, tiny, as tracing takes long."""
    cfg = copy.deepcopy(two.MODEL)
    cfg['data_preprocessor']['pad_size_divisor'] = 1
    cfg['backbone'].update(
        depths=[2, 1][-stages:], num_heads=[1, 2][:stages], out_indices=range(stages)
    )
    cfg['neck'].update(in_channels=[8, 16][:stages], num_outs=stages)
    cfg['bbox_head'].update(head)
    cfg['bbox_head']['anchor_generator'] = dict(
        type='AnchorGenerator',
        ratios=[1.0],
        octave_base_scale=8,
        scales_per_octave=1,
        strides=[4, 8][:stages],
    )
    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry('glip'):
        return MODELS.build(cfg).eval()


class Counting:
    """A backend that counts the graphs it is given and runs them as they are."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph, inputs):
        self.graphs += 1
        return graph.forward

    def since(self, before: int) -> int:
        return self.graphs - before


def prepared(model: nn.Module, size: tuple[int, int], names: list[str]) -> tuple:
    generator = torch.Generator().manual_seed(sum(size))
    pixels = torch.randint(0, 255, (3, *size), generator=generator).byte()
    sample = DetDataSample(
        metainfo=dict(
            img_shape=size,
            ori_shape=size,
            scale_factor=(1.0, 1.0),
            text=tuple(names),
            custom_entities=True,
        )
    )
    data = dict(inputs=[pixels], data_samples=[sample])
    data = model.data_preprocessor(data, False)
    return data['inputs'], data['data_samples']


def detect(model: nn.Module, size: tuple[int, int], names: list[str]) -> dict:
    with torch.no_grad():
        (sample,) = model(*prepared(model, size, names), mode='predict')
    return dict(sample.pred_instances.items())


def assert_same_detections(found: dict, expected: dict, scores: float) -> None:
    assert found['label_names'] == expected['label_names']
    torch.testing.assert_close(found['scores'], expected['scores'], atol=scores, rtol=0)
    torch.testing.assert_close(found['bboxes'], expected['bboxes'], atol=1e-2, rtol=0)


@pytest.mark.slow
def test_sizes_and_prompts_compile_nothing_anew_and_find_the_same():
    model, compiled, backend = glip(), glip(), Counting()
    compile_for_inference(compiled, dict(backend=backend))
    assert compiled.state_dict().keys() == model.state_dict().keys()
    for number, size in enumerate(SIZES):
        names = [f'thing {"very " * number}long', 'cat'][: 1 + number % 2]
        before = backend.graphs
        with torch.no_grad():
            raw = compiled(*prepared(compiled, size, names), mode='tensor')
            expected = model(*prepared(model, size, names), mode='tensor')
        assert backend.since(before) == 0 or not number
        torch.testing.assert_close(raw, expected, atol=1e-4, rtol=1e-4)
        pair = (detect(each, size, names) for each in (compiled, model))
        assert_same_detections(*pair, scores=1e-5)
    # Patches, three blocks, merging, neck, fusion, its BERT layer, tower.
    assert backend.graphs == 9
    assert not torch._dynamo.utils.counters['graph_break']
    # Several prompts over a picture once more: fusion, BERT layer and tower.
    for chunks, size in ((2, (64, 128)), (3, (96, 96)), (2, (75, 85))):
        names = [f'thing {number}' for number in range(chunks)]
        before = backend.graphs
        model.test_cfg.chunked_size = compiled.test_cfg.chunked_size = 1
        pair = (detect(each, size, names) for each in (compiled, model))
        assert_same_detections(*pair, scores=1e-5)
        assert backend.since(before) == (3 if size == (64, 128) else 0)


@pytest.mark.slow
def test_half_precision_compiles_as_well():
    small = dict(stages=1, early_fuse=False)
    model, compiled = glip(**small), glip(**small)
    compile_for_inference(compiled, dict(backend='aot_eager'))
    usual = detect(model, (64, 96), ['cat', 'dog'])
    with torch.autocast('cpu', torch.bfloat16):
        expected = detect(model, (64, 96), ['cat', 'dog'])
        found = detect(compiled, (64, 96), ['cat', 'dog'])
    assert not torch.equal(found['scores'], usual['scores'])
    torch.testing.assert_close(found['scores'], expected['scores'], atol=0.01, rtol=0)
    assert found['scores'].dtype == torch.float32


class Sampling(nn.Module):
    """A deformable convolution as the tower has it, alone, as C++ takes long."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.offset = nn.Conv2d(4, 27, 3, padding=1)
        self.neck = DeformConv3x3(4, 4, 1, deformable=True)

    def forward(self, x):
        offset, mask = self.offset(x).split((18, 9), dim=1)
        return self.neck(x, offset, mask.sigmoid())


@pytest.mark.slow
@pytest.mark.skipif(
    not any(map(shutil.which, ('g++', 'clang++'))), reason='needs a C++ compiler'
)
@torch.no_grad()
def test_inductor_computes_the_same_at_any_size():
    model, compiled = Sampling().eval(), Sampling().eval()
    compile_for_inference(compiled, True)
    counters = torch._dynamo.utils.counters['stats']
    before = counters['unique_graphs']
    for size in ((9, 9), (6, 11), (13, 7)):
        x = torch.randn(1, 4, *size)
        torch.testing.assert_close(compiled(x), model(x), atol=1e-4, rtol=1e-4)
    assert counters['unique_graphs'] == before + 1


@torch.no_grad()
@inductor.patch({'cpp.cxx': ('no-such-compiler',), 'force_disable_caches': True})
def test_a_missing_compiler_is_one_line():
    model = nn.Sequential(nn.Linear(2, 4), nn.GELU()).eval()
    compile_for_inference(model, True)
    with pytest.raises(ConfigError) as error:
        model(torch.ones(3, 2))
    said = str(error.value)
    assert said.startswith('torch.compile failed') and '\n' not in said
    assert 'g++' in said and '--compile' in said and 'train' not in said


@pytest.mark.parametrize(
    'options,said',
    [
        (dict(mode='fast'), "no mode 'fast'; it has default, reduce-overhead, max-"),
        (dict(fast=True), 'torch.compile has no argument fast'),
        ('default', "compile='default' must be True, False or a dict"),
        (dict(backend='fast'), 'torch.compile refuses it .*fast'),
        (dict(options={'fast': True}), 'torch.compile refuses it .*fast'),
        (dict(mode='default', options={'fast': True}), 'torch.compile refuses it'),
    ],
)
def test_what_torch_compile_does_not_know_is_one_line(options, said):
    with pytest.raises(ConfigError, match=said) as error:
        compile_for_inference(nn.Linear(2, 2), options)
    assert '\n' not in str(error.value)


class Kept(nn.Module):
    """Returns the same memory each time, as a CUDA graph does."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = torch.zeros(3)

    def forward(self, x):
        return (self.kept.copy_(x),)


def test_features_outlive_the_next_picture_under_cuda_graphs(monkeypatch):
    steps = []
    monkeypatch.setattr(
        torch.compiler, 'cudagraph_mark_step_begin', lambda: steps.append(1)
    )
    monkeypatch.setattr(
        torch, 'compile', wraps(torch.compile)(lambda forward, **_: forward)
    )
    model = nn.Module()
    model.backbone, model.neck = nn.Identity(), Kept()
    compile_for_inference(model, dict(mode='reduce-overhead'))
    first, second = (model.neck(model.backbone(torch.full((3,), x))) for x in (1.0, 2))
    assert (first[0] == 1).all() and (second[0] == 2).all()
    assert len(steps) == 2
    assert np.isclose(model.neck.kept.numpy(), 2).all()


def test_copies_of_a_compiled_part_are_not_compiled():
    model, backend = nn.Sequential(nn.Linear(3, 2)), Counting()
    compile_for_inference(model, dict(backend=backend))
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with torch.no_grad():
            other[0].weight.zero_()
            other[0].bias.fill_(7)
            assert (other(torch.ones(1, 3)) == 7).all()
        assert not backend.graphs
    assert not (model(torch.ones(1, 3)) == 7).all()
    assert backend.graphs == 1
