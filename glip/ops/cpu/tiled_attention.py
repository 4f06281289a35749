"""Attention between many positions and few tokens, both ways, tile by tile.

The scores of a tile of positions with the tokens of all heads are one matrix product.
The softmax over tokens is complete within a tile; that over positions is merged from
tile to tile by the logarithms of its sums (online softmax, arXiv 1805.02867). So
nothing of size positions x tokens is kept, forward or backward: the backward pass makes
the tiles again, dropout included.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Scores of a tile: those of all heads stay in the cache from one product to the next.
_TILE_SCORES = 400_000
_LEAST_ROWS, _MOST_ROWS = 256, 2048


class Dropout:
    """Which probabilities stay: drawn four at a time, and again the same in a replay.

    ``bernoulli_`` draws a number per entry, which on a CPU takes longer than the
    products of the attention.

    Args:
        rate: Share that is dropped, rounded to the next 1 / 65536.
    """

    def __init__(self, rate: float) -> None:
        self._dropped = round(rate * 2**16)
        self._seed = int(torch.randint(2**62, ())) if self._dropped else 0

    def __bool__(self) -> bool:
        return self._dropped > 0

    @property
    def kept(self) -> float:
        """Share that stays."""
        return 1 - self._dropped / 2**16

    def replay(self) -> Callable[[torch.Size], Tensor]:
        """Draws from the start: a function from a shape to True where one stays."""
        generator = torch.Generator().manual_seed(self._seed)

        def draw(shape: torch.Size) -> Tensor:
            count = shape.numel()
            bits = torch.empty(-(-count // 4), dtype=torch.int64)
            bits.random_(-(2**63), None, generator=generator)
            return bits.view(torch.int16)[:count].view(shape) >= self._dropped - 2**15

        return draw


def tiled_attention(
    levels: Sequence[Tensor],
    keys: Tensor,
    bias: Tensor,
    values: Tensor,
    dropout: float = 0.0,
) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
    """What positions read from tokens, added to them, and tokens from positions.

    Args:
        levels: Positions, shape (B, N, C) each, attended to as one set. Without
            gradients they may be *overwritten* by the first result.
        keys: Tokens of each head, shape (B, H, T, C).
        bias: Added to the scores of a token, shape (B, H, T).
        values: What a position reads from the tokens of a head, shape (B, H, T, C).
        dropout: Rate on the probabilities of both directions.

    Returns:
        The levels plus the mean of the values under the softmax over tokens, summed
        over heads; the means of the positions under the softmax over positions, shape
        (B, H, T, C); and the sums of those probabilities, shape (B, H, T), which are 1
        but for dropout.
    """
    drop = Dropout(dropout)
    if drop:
        values = values / drop.kept
    inputs = tuple(x.contiguous() for x in (keys, bias, values, *levels))
    if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
        means, mass, *outs = _TiledAttention.apply(drop, *inputs)
    else:
        keys, bias, values, *outs = inputs
        means, mass, _ = _forward(outs, outs, keys, bias, values, drop)
    if drop:
        means, mass = means / drop.kept, mass / drop.kept
    return tuple(outs), means, mass


class _TiledAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, drop, keys, bias, values, *levels):
        outs = tuple(map(torch.empty_like, levels))
        means, mass, log_sums = _forward(levels, outs, keys, bias, values, drop)
        ctx.save_for_backward(keys, bias, values, means, mass, log_sums, *levels)
        ctx.drop = drop
        return means, mass, *outs

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_means, grad_mass, *grad_outs):
        keys, bias, values, means, mass, log_sums, *levels = ctx.saved_tensors
        grads = [torch.zeros_like(x) for x in (keys, bias, values)]
        grad_levels = tuple(map(torch.empty_like, levels))
        grad_outs = tuple(grad.contiguous() for grad in grad_outs)
        # The softmax over positions subtracts it from what arrives at probabilities.
        center = (means * grad_means).sum(-1) + mass * grad_mass
        draw = ctx.drop.replay() if ctx.drop else None
        for i in range(len(keys)):
            _backward_of_picture(
                *([x[i] for x in xs] for xs in (levels, grad_outs, grad_levels)),
                *(x[i] for x in (keys, bias, values, log_sums)),
                *(x[i] for x in (grad_means, grad_mass, center)),
                [x[i] for x in grads],
                draw,
            )
        return None, *grads, *grad_levels


def _forward(levels, outs, keys, bias, values, drop):
    means = torch.zeros_like(keys)
    mass, log_sums = torch.zeros_like(bias), torch.full_like(bias, -torch.inf)
    draw = drop.replay() if drop else None
    for i in range(len(keys)):
        _forward_of_picture(
            *([x[i] for x in xs] for xs in (levels, outs)),
            *(x[i] for x in (keys, bias, values, means, mass, log_sums)),
            draw,
        )
    return means, mass, log_sums


def _tiles(rows: int, *lists: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """Aligned tiles of up to ``rows`` rows of aligned lists of matrices."""
    for matrices in zip(*lists, strict=True):
        yield from zip(*(matrix.split(rows) for matrix in matrices), strict=True)


def _rows_of_tile(columns: int) -> int:
    return min(max(_TILE_SCORES // columns // 64 * 64, _LEAST_ROWS), _MOST_ROWS)


def _forward_of_picture(
    levels, outs, keys, bias, values, means, mass, log_sums, draw
) -> None:
    """Fill ``outs``, (N, C) each, ``means`` (H, T, C), ``mass`` and ``log_sums``."""
    heads, tokens, channels = keys.shape
    columns = heads * tokens
    keys, values, means = (x.view(columns, channels) for x in (keys, values, means))
    bias, mass, log_sums = (x.view(columns, 1) for x in (bias, mass, log_sums))
    rows = _rows_of_tile(columns)
    scratch = keys.new_empty(2, columns * rows)
    tile_means = torch.empty_like(means)
    for x, out in _tiles(rows, levels, outs):
        scores, probs = (s[: columns * len(x)].view(columns, -1) for s in scratch)
        torch.mm(keys, x.t(), out=scores)
        torch.softmax(scores, 1, out=probs)
        # The largest probability of a softmax is one over its sum.
        tile_sums = scores.amax(1, True) - probs.amax(1, True).log()
        if draw:
            probs.mul_(draw(probs.shape))
        torch.mm(probs, x, out=tile_means)
        total = torch.logaddexp(log_sums, tile_sums)
        share = (tile_sums - total).exp_()
        log_sums.copy_(total)
        means.lerp_(tile_means, share)
        mass.lerp_(probs.sum(1, True), share)
        scores.add_(bias)
        torch.softmax(_by_head(scores, heads), 1, out=_by_head(probs, heads))
        if draw:
            probs.mul_(draw(probs.shape))
        torch.addmm(x, probs.t(), values, out=out)


def _backward_of_picture(
    levels,
    grad_outs,
    grad_levels,
    keys,
    bias,
    values,
    log_sums,
    grad_means,
    grad_mass,
    center,
    grads,
    draw,
) -> None:
    """Fill ``grad_levels`` and the gradients of keys, bias and values."""
    heads, tokens, channels = keys.shape
    columns = heads * tokens
    keys, values, grad_means = (x.view(columns, -1) for x in (keys, values, grad_means))
    bias, log_sums, grad_mass, center = (
        x.view(columns, 1) for x in (bias, log_sums, grad_mass, center)
    )
    grad_keys, grad_bias, grad_values = (x.view(columns, -1) for x in grads)
    rows = _rows_of_tile(columns)
    scratch = keys.new_empty(4, columns * rows)
    for x, grad_out, grad_x in _tiles(rows, levels, grad_outs, grad_levels):
        scores, probs, grad_probs, grad_scores = (
            s[: columns * len(x)].view(columns, -1) for s in scratch
        )
        torch.mm(keys, x.t(), out=scores)
        # Positions under a token.
        torch.exp(torch.sub(scores, log_sums, out=probs), out=probs)
        torch.addmm(grad_mass, grad_means, x.t(), out=grad_probs)
        if draw:
            kept = draw(probs.shape)
            grad_probs.mul_(kept)
        torch.mul(grad_probs.sub_(center), probs, out=grad_scores)
        if draw:
            probs.mul_(kept)
        torch.addmm(grad_out, probs.t(), grad_means, out=grad_x)
        # Tokens under a position.
        scores.add_(bias)
        torch.softmax(_by_head(scores, heads), 1, out=_by_head(probs, heads))
        torch.mm(values, grad_out.t(), out=grad_probs)
        if draw:
            kept = draw(probs.shape)
            grad_probs.mul_(kept)
            grad_values.addmm_(torch.mul(probs, kept, out=scores), grad_out)
        else:
            grad_values.addmm_(probs, grad_out)
        grad_probs.mul_(probs)
        inner = _by_head(grad_probs, heads).sum(1, True)
        _by_head(grad_probs, heads).addcmul_(_by_head(probs, heads), inner, value=-1)
        grad_bias.add_(grad_probs.sum(1, True))
        grad_scores.add_(grad_probs)
        grad_keys.addmm_(grad_scores, x)
        grad_x.addmm_(grad_scores.t(), keys)


def _by_head(scores: Tensor, heads: int) -> Tensor:
    return scores.unflatten(0, (heads, -1))
