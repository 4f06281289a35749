"""Inputs and parameters of the recorded runs, the same on every CPU.

Only integers of the Mersenne Twister, drawn below 2**24 and seeded by names, and
exactly rounded float64 arithmetic.
"""

import math
import zlib

import torch
from torch import Tensor

BIAS0 = -3.0
# Standard deviation of a weight times the square root of its inputs, by a part of its
# name; 1 for all others.
GAIN = {
    'AttnConv': 4.0,
    'relu.fc.2': 3.0,
    'bbox_pred': 6.0,
    'centerness': 6.0,
    'dot_product_projection_text': 14.0,
}
_CONSTANTS = ('relative_position_index', 'position_ids', 'token_type_ids')


def is_constant(name: str) -> bool:
    """Whether an entry of a state dict is computed, not trained, and so not filled."""
    return any(part in name for part in (*_CONSTANTS, 'anchor_generator.'))


def unit(name: str, shape: tuple[int, ...]) -> Tensor:
    """Uniform float64 numbers of mean 0 and variance 1, seeded by the name."""
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    drawn = torch.randint(0, 1 << 24, (math.prod(shape),), generator=generator)
    value = (drawn.double() + 0.5) / (1 << 24) - 0.5
    return value.mul_(math.sqrt(12.0)).reshape(tuple(shape))


def fill(name: str, shape: tuple[int, ...]) -> Tensor:
    """The float32 parameter of this original name."""
    mean, std = _moments(name, tuple(shape))
    return (unit(name, shape) * std + mean).float()


def _moments(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Mean and standard deviation of a parameter: sane activations, not real ones."""
    *path, leaf = name.split('.')
    norm = any(
        part.startswith(('norm', 'layer_norm')) or part in ('LayerNorm', 'bn')
        for part in path
    )
    special = {
        'gamma_v': (0.3, 0.1),
        'gamma_l': (0.3, 0.1),
        'log_scale': (0.2, 0.0),
        'bias0': (BIAS0, 0.0),
        'bias_lang': (0.0, 0.3),
        'scale': (1.0, 0.1),
        'relative_position_bias_table': (0.0, 0.5),
    }
    if leaf in special:
        return special[leaf]
    if norm and leaf == 'weight':
        return 1.0, 0.1
    if leaf == 'bias':
        return 0.0, 0.5 if '.offset.' in name else 0.1
    if 'embeddings.' in name:
        return 0.0, 0.5
    if 'tunable_linear' in name:
        return 0.0, 0.1
    gain = next((value for key, value in GAIN.items() if key in name), 1.0)
    return 0.0, gain / math.sqrt(math.prod(shape[1:]))


def image(name: str, height: int, width: int) -> Tensor:
    """Picture (3, height, width), uint8, channels B, G, R: noise on coarse squares."""
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    fine = torch.randint(0, 256, (3, height, width), generator=generator)
    squares = (3, -(-height // 16), -(-width // 16))
    coarse = torch.randint(0, 256, squares, generator=generator)
    coarse = coarse.repeat_interleave(16, 1).repeat_interleave(16, 2)
    return ((fine + 3 * coarse[:, :height, :width]) // 4).to(torch.uint8)


def normalise(picture: Tensor) -> Tensor:
    """Picture as the network reads it."""
    mean = torch.tensor([103.530, 116.280, 123.675]).view(3, 1, 1)
    std = torch.tensor([57.375, 57.120, 58.395]).view(3, 1, 1)
    return (picture.float() - mean) / std
