"""Weights into a model: what is accepted, what is refused, and in which words."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from glip.checkpoints import load_into, load_state_dict, read_checkpoint
from glip.checkpoints.layouts import PROMPT_KEY
from glip.errors import CheckpointError

BIAS = 'bbox_head.head.bias0'


def same(model: nn.Module, state: dict) -> bool:
    own = model.state_dict()
    return all(torch.equal(own[name], state[name]) for name in own)


def untouched(model: nn.Module) -> bool:
    return all(not p.any() for p in model.parameters())


def refusal(model, source, **kwargs) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_into(model, source, **kwargs)
    assert '\n' not in str(caught.value)
    assert untouched(model)
    return str(caught.value)


def test_every_layout_and_format_gives_the_same_model(tmp_path, original, ours, named):
    contents = {
        'ours.pth': {'state_dict': ours, 'meta': {'epoch': 1}},
        'plain.pth': ours,
        'original.pth': {
            'model': {f'module.{k}': v for k, v in original.items()},
            'model_ema': {f'module.{k}': -v for k, v in original.items()},
            'iteration': 12,
        },
    }
    for name, content in contents.items():
        torch.save(content, tmp_path / name)
    torch.save(ours, tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    save_file(ours, tmp_path / 'w.safetensors')
    save_file(original, tmp_path / 'original.safetensors')
    for path in tmp_path.iterdir():
        model = named(ours)
        load_into(model, path)
        assert same(model, ours), path.name
        assert load_state_dict(str(path)).keys() == ours.keys()


def test_a_state_dict_is_a_source_too(original, ours, named):
    model = named(ours)
    load_into(model, original)
    assert same(model, ours)


def test_half_precision_becomes_the_models_type(tmp_path, ours, named):
    half = {n: t.half() if t.is_floating_point() else t for n, t in ours.items()}
    save_file(half, tmp_path / 'w.safetensors')
    model = named(ours)
    load_into(model, tmp_path / 'w.safetensors')
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == ours[name].dtype
        torch.testing.assert_close(tensor, half[name].to(tensor.dtype))


def test_one_element_vectors_serve_scalars(ours, named):
    model = named(ours)
    state = dict(ours, **{'bbox_head.head.scales.0.scale': torch.tensor([2.5])})
    load_into(model, state)
    assert model.bbox_head.head.scales.get_submodule('0').scale.item() == 2.5


def test_buffers_a_model_derives_may_be_there_or_not(ours, named):
    model = named(ours)
    index = 'backbone.stages.0.blocks.0.attn.w_msa.relative_position_index'
    before = model.state_dict()[index].clone()
    load_into(model, {n: t for n, t in ours.items() if n != index})
    bert = 'language_model.language_backbone.body.model.embeddings.'
    extra = {
        index: torch.full((2, 2), 99),
        f'{bert}position_ids': torch.arange(5),
        f'{bert}token_type_ids': torch.zeros(5),
        'bbox_head.head.cls_logits.weight': torch.zeros(3),
        'backbone.norm0.weight': torch.zeros(8),
    }
    load_into(model, {**ours, **extra})
    assert torch.equal(model.state_dict()[index], before)


def test_wrapped_model_is_unwrapped(ours, named):
    from mmengine.registry import MODEL_WRAPPERS

    @MODEL_WRAPPERS.register_module(name='_TestWrapper', force=True)
    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    model = named(ours)
    load_into(Wrapper(model), ours)
    assert same(model, ours)


def test_disagreeing_keys_are_counted_and_named(ours, named):
    state = dict(ours)
    removed = [n for n in ours if n.startswith('neck.')]
    for name in removed:
        del state[name]
    state['bbox_head.surprise'] = torch.zeros(1)
    state['bbox_head.head.bbox_pred.weight'] = torch.zeros(7, 8, 1, 1)
    message = refusal(named(ours), state)
    assert f'{len(removed)} missing' in message and removed[0] in message
    assert '1 unexpected (bbox_head.surprise)' in message
    assert '1 of another shape' in message and '7x8x1x1 in the file' in message
    assert '4x8x1x1 in the model' in message


def test_hints_at_another_variant(original_a, ours, named):
    from glip.checkpoints import to_mmdet

    unfused = to_mmdet(original_a)
    assert 'no early fusion (GLIP-T (A))' in refusal(named(ours), unfused)
    assert 'has early fusion' in refusal(named(unfused), ours)


def test_hints_at_another_size(ours, named):
    patch = 'backbone.patch_embed.projection.weight'
    state = dict(ours, **{patch: torch.zeros(192, 3, 4, 4)})
    assert '192 channels and that of the config 8' in refusal(named(ours), state)
    deeper = {n.replace('tower.2', 'tower.5'): t for n, t in ours.items()}
    assert '6 layers and that of the config 3' in refusal(named(ours), deeper)


def test_another_model_is_refused_by_name(tmp_path, ours, named):
    resnet = {'conv1.weight': torch.zeros(1), 'bn1.weight': torch.zeros(1)}
    torch.save(resnet, tmp_path / 'resnet.pth')
    message = refusal(named(ours), tmp_path / 'resnet.pth')
    assert 'not a GLIP checkpoint' in message and 'conv1.weight' in message
    with pytest.raises(CheckpointError, match='it has conv1'):
        load_state_dict(tmp_path / 'resnet.pth')
    refusal(named(ours), tmp_path / 'resnet.pth', strict=False)


def test_tensors_of_another_kind_are_refused(ours, named):
    integer = dict(ours, **{BIAS: torch.zeros(1, dtype=torch.int8)})
    assert 'int8 in the file' in refusal(named(ours), integer)
    empty = dict(ours, **{BIAS: torch.zeros(1, device='meta')})
    assert 'not a plain tensor' in refusal(named(ours), empty)
    sparse = dict(ours, **{BIAS: torch.zeros(1).to_sparse()})
    assert 'not a plain tensor' in refusal(named(ours), sparse)


def test_loose_loading_takes_what_fits(ours, named):
    model = named(ours)
    state = {n: t for n, t in ours.items() if n != BIAS}
    load_into(model, state, strict=False)
    assert not model.state_dict()[BIAS].any()
    assert same(model, {**state, BIAS: torch.zeros(1)})


def test_a_tuned_prompt_in_plain_weights_is_a_warning(ours, named, monkeypatch):
    messages = []
    monkeypatch.setattr(
        'glip.checkpoints.load.print_log', lambda text, *args: messages.append(text)
    )
    load_into(named(ours), {**ours, PROMPT_KEY: torch.zeros(4, 8)})
    assert len(messages) == 1 and 'untuned model' in messages[0]
    tuned = {**ours, PROMPT_KEY: torch.ones(4, 8)}
    load_into(named(tuned), tuned)
    assert len(messages) == 2 and 'added to any words' in messages[1]
    load_into(named(tuned), {**tuned, PROMPT_KEY: torch.zeros(4, 8)})
    assert len(messages) == 2  # it changes nothing


def test_training_state_is_kept_beside_the_weights(tmp_path, ours):
    content = {'state_dict': ours, 'meta': {'epoch': 3}, 'optimizer': {'state': {}}}
    torch.save(content, tmp_path / 'epoch_3.pth')
    read = read_checkpoint(tmp_path / 'epoch_3.pth')
    assert read['meta']['epoch'] == 3 and 'optimizer' in read


def test_what_is_no_source(tmp_path, monkeypatch, ours, named):
    monkeypatch.chdir(tmp_path)
    model = named(ours)
    assert 'did you mean glip-tiny-a?' in refusal(model, 'glip-tiny-aa')
    assert 'neither a file nor a zoo name' in refusal(model, 'xyzzy')
    assert 'does not exist' in refusal(model, 'none.pth')
    assert 'is a folder' in refusal(model, tmp_path)
    torch.save({'meta': {}}, 'empty.pth')
    assert 'no weights inside' in refusal(model, 'empty.pth')
