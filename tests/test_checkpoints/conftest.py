"""A small GLIP's weights in the original's names, and stand-ins to load them into."""

import pytest
import torch
from torch import Tensor, nn

CHANNELS = 8


def original_names(*, fused: bool = True) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a two-stage Swin, one tower block and a one-layer BERT."""
    c, body = CHANNELS, 'backbone.body.'
    shapes = {
        f'{body}patch_embed.proj.weight': (c, 3, 4, 4),
        f'{body}patch_embed.norm.weight': (c,),
        f'{body}norm1.weight': (2 * c,),
        f'{body}layers.0.downsample.reduction.weight': (2 * c, 4 * c),
        f'{body}layers.0.downsample.norm.weight': (4 * c,),
    }
    for stage in (0, 1):
        block, d = f'{body}layers.{stage}.blocks.0.', c << stage
        shapes |= {
            f'{block}norm1.bias': (d,),
            f'{block}attn.relative_position_bias_table': (9, 2),
            f'{block}attn.relative_position_index': (4, 4),
            f'{block}attn.qkv.weight': (3 * d, d),
            f'{block}attn.proj.bias': (d,),
            f'{block}mlp.fc1.weight': (4 * d, d),
            f'{block}mlp.fc2.bias': (d,),
        }
    for level in (2, 3):
        shapes[f'backbone.fpn.fpn_inner{level}.weight'] = (c, c, 1, 1)
        shapes[f'backbone.fpn.fpn_layer{level}.weight'] = (c, c, 3, 3)
    for level in (6, 7):
        shapes[f'backbone.fpn.top_blocks.p{level}.weight'] = (c, c, 3, 3)
    bert = 'language_backbone.body.model.'
    shapes |= {
        f'{bert}embeddings.position_ids': (1, 16),
        f'{bert}embeddings.word_embeddings.weight': (20, c),
        f'{bert}encoder.layer.0.attention.self.query.weight': (c, c),
        'rpn.head.cls_logits.weight': (80, c, 1, 1),
        'rpn.head.bbox_pred.weight': (4, c, 1, 1),
        'rpn.head.scales.0.scale': (1,),
        'rpn.head.bias0': (1,),
        'rpn.anchor_generator.cell_anchors.0': (1, 4),
    }
    tower = 'rpn.head.dyhead_tower.'
    if fused:
        shapes[f'{tower}0.b_attn.gamma_v'] = (c,)
        shapes[f'{tower}1.attention.self.key.weight'] = (c, c)
    conv = f'{tower}{2 if fused else 0}.'
    shapes |= {
        f'{conv}DyConv.1.conv.weight': (c, c, 3, 3),
        f'{conv}AttnConv.1.bias': (1,),
        f'{conv}relu.fc.0.weight': (2, c),
        f'{conv}offset.bias': (27,),
    }
    return shapes


def random_state(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    state = {n: torch.randn(s, generator=generator) for n, s in shapes.items()}
    for name in state:
        if name.endswith(('position_index', 'position_ids')):
            state[name] = torch.arange(state[name].numel()).view(state[name].shape)
    return state


class Named(nn.Module):
    """A module whose state dict has exactly the names and shapes given."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        for name, tensor in state.items():
            *path, leaf = name.split('.')
            module = self
            for part in path:
                if part not in dict(module.named_children()):
                    module.add_module(part, nn.Module())
                module = getattr(module, part)
            if tensor.is_floating_point():
                module.register_parameter(leaf, nn.Parameter(torch.zeros_like(tensor)))
            else:
                module.register_buffer(leaf, tensor.clone())


@pytest.fixture
def original() -> dict[str, Tensor]:
    """State dict of a small fused GLIP as the original names it."""
    return random_state(original_names())


@pytest.fixture
def original_a() -> dict[str, Tensor]:
    """The same without early fusion."""
    return random_state(original_names(fused=False))


@pytest.fixture
def ours(original) -> dict[str, Tensor]:
    """``original`` under our names."""
    from glip.checkpoints import to_mmdet

    return to_mmdet(original)


@pytest.fixture
def named():
    """Builds a module with the names and shapes of a state dict, all zero."""
    return Named
