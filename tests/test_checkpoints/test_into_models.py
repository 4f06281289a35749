"""Weights of the original into real models built from the shipped configs."""

from pathlib import Path

import official
import pytest
import torch
from mmengine.config import Config

from glip.checkpoints import load_into, save_state_dict
from glip.errors import CheckpointError
from glip.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'glip'
VARIANTS = {
    'A': 'glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365.py',
    'B': 'glip_atss_swin-t_b_fpn_dyhead_pretrain_obj365.py',
}
VOCABULARY = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', *'abcdefgh']


def small_model(variant: str, folder: Path) -> torch.nn.Module:
    """The shipped config with the widths and depths of the recorded fixture."""
    vocabulary = folder / 'vocab.txt'
    vocabulary.write_text('\n'.join(VOCABULARY))
    model = Config.fromfile(CONFIGS / VARIANTS[variant]).model
    model.backbone.update(
        embed_dims=24, depths=(2, 2, 2, 2), num_heads=(2, 2, 4, 8), init_cfg=None
    )
    model.neck.in_channels = [48, 96, 192]
    model.bbox_head.num_dyhead_blocks = 2
    model.language_model.update(
        vocab=str(vocabulary), config=dict(vocab_size=128, num_hidden_layers=2)
    )
    with MODELS.switch_scope_and_registry('glip'):
        return MODELS.build(model)


@pytest.fixture(scope='module')
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp('small')
    return {variant: small_model(variant, folder) for variant in VARIANTS}


@pytest.mark.parametrize('variant', VARIANTS)
def test_filled_weights_of_the_original_load_strictly(models, tmp_path, variant):
    parameters = official.parameters(variant)
    state = {f'module.{name}': value for name, value in parameters.items()}
    path = tmp_path / 'original.pth'
    torch.save({'model': state, 'iteration': 1}, path)
    model = models[variant]
    load_into(model, path)

    own = model.state_dict()
    expected = parameters['rpn.head.bbox_pred.weight']
    assert torch.equal(own['bbox_head.head.bbox_pred.weight'], expected)
    expected = parameters['backbone.body.layers.0.downsample.reduction.weight']
    ours = own['backbone.stages.0.downsample.reduction.weight']
    # Our channel 4c + p is neighbour p of channel c; the original's is 24q + c.
    for ours_at, theirs_at in ((0, 0), (1, 2), (2, 1), (3, 3)):
        first = expected[:, 24 * theirs_at : 24 * theirs_at + 24]
        assert torch.equal(ours[:, ours_at::4], first)


@pytest.mark.parametrize('half', [False, True])
def test_a_models_own_file_comes_back(models, tmp_path, half):
    model = models['B']
    before = {name: t.clone() for name, t in model.state_dict().items()}
    save_state_dict(before, tmp_path / 'w.safetensors', half=half)
    for parameter in model.parameters():
        parameter.data.add_(1)
    load_into(model, tmp_path / 'w.safetensors')
    for name, tensor in model.state_dict().items():
        expected = before[name].half().float() if half else before[name]
        if tensor.is_floating_point():
            assert torch.equal(tensor, expected), name


def test_variants_are_not_mixed_up(models):
    a, b = models['A'], models['B']
    with pytest.raises(CheckpointError, match='no early fusion'):
        load_into(b, a.state_dict())
    with pytest.raises(CheckpointError, match='config builds none'):
        load_into(a, b.state_dict())
