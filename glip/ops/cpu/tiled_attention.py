"""Attention between many positions and few tokens, both ways, tile by tile.

The scores of a tile of positions with the tokens of all heads are one matrix product.
The softmax over tokens is complete within a tile; that over positions is merged from
tile to tile by the logarithms of its sums (online softmax, arXiv 1805.02867). So
nothing of size positions x tokens is kept, forward or backward: the backward pass makes
the tiles again, dropout included.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from glip.ops.cpu.linear import product

# From a shape to True where an entry stays.
Draw = Callable[[torch.Size], Tensor]
Rows = TypeVar('Rows', bound='_PerToken')

# Scores of a tile: those of all heads stay in the cache from one product to the next.
_TILE_SCORES = 600_000
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
    def kept_share(self) -> float:
        """Share of the probabilities that dropout keeps."""
        return 1 - self._dropped / 2**16

    def replay(self) -> Draw:
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
        keys: Tokens of each head, shape (B, H, T, C). In half precision products are
            made in it, without gradients, and the rest is in that of the levels.
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
        values = values / drop.kept_share
    inputs = tuple(x.contiguous() for x in (keys, bias, values, *levels))
    if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
        means, mass, *outs = _TiledAttention.apply(drop, *inputs)
    else:
        keys, bias, values, *outs = inputs
        read = _forward(outs, outs, _Tokens(keys, bias, values), drop)
        means, mass = read.means, read.mass
    if drop:
        means, mass = means / drop.kept_share, mass / drop.kept_share
    return tuple(outs), means, mass


@dataclass(frozen=True)
class _PerToken:
    """Tensors with a row for each token of each head.

    Fields have the shape (B, H, T, C) or (B, H, T); of a picture (H*T, C) or (H*T, 1).
    """

    def of_picture(self: Rows, picture: int) -> Rows:
        """Views of the rows of one picture."""
        tensors = [getattr(self, field.name) for field in fields(self)]
        columns = tensors[0].shape[1] * tensors[0].shape[2]
        return type(self)(*(x[picture].view(columns, -1) for x in tensors))


@dataclass(frozen=True)
class _Tokens(_PerToken):
    """What positions are compared with and read, or the gradients of it."""

    keys: Tensor
    bias: Tensor
    values: Tensor


@dataclass(frozen=True)
class _Means(_PerToken):
    """What tokens have read.

    Attributes:
        means: Positions under the softmax over positions.
        mass: Sums of its probabilities.
        log_sums: Logarithms of the sums that it divides by.
    """

    means: Tensor
    mass: Tensor
    log_sums: Tensor


@dataclass(frozen=True)
class _MeansGradient(_PerToken):
    """Gradients of what tokens have read.

    Attributes:
        means: Gradient of the means.
        mass: Gradient of the mass.
        center: What the softmax over positions subtracts from the gradient of a
            probability.
    """

    means: Tensor
    mass: Tensor
    center: Tensor


class _TiledAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, drop, keys, bias, values, *levels):
        outs = tuple(map(torch.empty_like, levels))
        read = _forward(levels, outs, _Tokens(keys, bias, values), drop)
        ctx.save_for_backward(
            keys, bias, values, read.means, read.mass, read.log_sums, *levels
        )
        ctx.drop = drop
        return read.means, read.mass, *outs

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_means, grad_mass, *grad_outs):
        keys, bias, values, means, mass, log_sums, *levels = ctx.saved_tensors
        tokens, read = _Tokens(keys, bias, values), _Means(means, mass, log_sums)
        grads = _Tokens(*(torch.zeros_like(x) for x in (keys, bias, values)))
        grad_levels = tuple(map(torch.empty_like, levels))
        grad_outs = tuple(grad.contiguous() for grad in grad_outs)
        arriving = _MeansGradient(
            grad_means, grad_mass, (means * grad_means).sum(-1) + mass * grad_mass
        )
        draw = ctx.drop.replay() if ctx.drop else None
        for i in range(len(keys)):
            _backward_of_picture(
                [[x[i] for x in xs] for xs in (levels, grad_outs, grad_levels)],
                tokens.of_picture(i),
                read.of_picture(i),
                arriving.of_picture(i),
                grads.of_picture(i),
                heads=keys.shape[1],
                draw=draw,
            )
        return None, grads.keys, grads.bias, grads.values, *grad_levels


def _forward(
    levels: Sequence[Tensor], outs: Sequence[Tensor], tokens: _Tokens, drop: Dropout
) -> _Means:
    """Fill ``outs``, and return what tokens have read."""
    bias = tokens.bias
    read = _Means(
        torch.zeros_like(tokens.keys, dtype=bias.dtype),
        torch.zeros_like(bias),
        torch.full_like(bias, -torch.inf),
    )
    draw = drop.replay() if drop else None
    for i in range(len(tokens.keys)):
        _forward_of_picture(
            [[x[i] for x in xs] for xs in (levels, outs)],
            tokens.of_picture(i),
            read.of_picture(i),
            heads=tokens.keys.shape[1],
            draw=draw,
        )
    return read


def _tiles(rows: int, *lists: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """Aligned tiles of up to ``rows`` rows of aligned lists of matrices."""
    for matrices in zip(*lists, strict=True):
        yield from zip(*(matrix.split(rows) for matrix in matrices), strict=True)


def _rows_of_tile(columns: int) -> int:
    return min(max(_TILE_SCORES // columns // 64 * 64, _LEAST_ROWS), _MOST_ROWS)


def _forward_of_picture(
    positions: Sequence[Sequence[Tensor]],
    tokens: _Tokens,
    read: _Means,
    *,
    heads: int,
    draw: Draw | None,
) -> None:
    """Fill the results of one picture.

    Args:
        positions: Levels and their outputs, (N, C) each; the latter are filled.
        tokens: What is attended to.
        read: Filled with what the tokens read.
        heads: Heads of the tokens.
        draw: Dropout of each tile.
    """
    columns, dtype = len(tokens.keys), tokens.keys.dtype
    rows = _rows_of_tile(columns)
    scratch = read.means.new_empty(columns * rows)
    values = tokens.values.t().contiguous()
    for x, out in _tiles(rows, *positions):
        factors = x.to(dtype)
        scores = product(tokens.keys, factors).to(x.dtype)
        probs = scratch[: columns * len(x)].view(columns, -1)
        torch.softmax(scores, 1, out=probs)
        # The largest probability of a softmax is one over its sum.
        tile_sums = scores.amax(1, True) - probs.amax(1, True).log()
        if draw:
            probs.mul_(draw(probs.shape))
        tile_means = product(probs.to(dtype), factors.t()).to(x.dtype)
        total = torch.logaddexp(read.log_sums, tile_sums)
        share = (tile_sums - total).exp_()
        read.log_sums.copy_(total)
        read.means.lerp_(tile_means, share)
        read.mass.lerp_(probs.sum(1, True), share)
        scores.add_(tokens.bias)
        torch.softmax(_by_head(scores, heads), 1, out=_by_head(probs, heads))
        if draw:
            probs.mul_(draw(probs.shape))
        # Transposed, as only the second factor of a product may be so without a copy.
        torch.add(x, product(values, probs.to(dtype).t()).t(), out=out)


def _backward_of_picture(
    positions: Sequence[Sequence[Tensor]],
    tokens: _Tokens,
    read: _Means,
    arriving: _MeansGradient,
    grads: _Tokens,
    *,
    heads: int,
    draw: Draw | None,
) -> None:
    """Fill the gradients of one picture.

    Args:
        positions: Levels, gradients of their outputs, and of the levels, (N, C) each;
            the last ones are filled.
        tokens: What was attended to.
        read: What the tokens have read.
        arriving: Gradients of it.
        grads: Gradients of the tokens, to be added to.
        heads: Heads of the tokens.
        draw: Dropout of each tile, from the start again.
    """
    columns = len(tokens.keys)
    rows = _rows_of_tile(columns)
    scratch = tokens.keys.new_empty(2, columns * rows)
    keys, grad_means = tokens.keys.t().contiguous(), arriving.means.t().contiguous()
    for x, grad_out, grad_x in _tiles(rows, *positions):
        probs, grad_scores = (s[: columns * len(x)].view(columns, -1) for s in scratch)
        scores = product(tokens.keys, x)
        # Positions under a token.
        torch.exp(torch.sub(scores, read.log_sums, out=probs), out=probs)
        grad_probs = product(arriving.means, x).add_(arriving.mass)
        if draw:
            kept_entries = draw(probs.shape)
            grad_probs.mul_(kept_entries)
        torch.mul(grad_probs.sub_(arriving.center), probs, out=grad_scores)
        if draw:
            probs.mul_(kept_entries)
        torch.add(grad_out, product(grad_means, probs.t()).t(), out=grad_x)
        # Tokens under a position.
        scores.add_(tokens.bias)
        torch.softmax(_by_head(scores, heads), 1, out=_by_head(probs, heads))
        grad_probs = product(tokens.values, grad_out)
        kept_probs = probs
        if draw:
            kept_entries = draw(probs.shape)
            grad_probs.mul_(kept_entries)
            kept_probs = torch.mul(probs, kept_entries, out=scores)
        grads.values.add_(product(kept_probs, grad_out.t()))
        grad_probs.mul_(probs)
        inner = _by_head(grad_probs, heads).sum(1, True)
        _by_head(grad_probs, heads).addcmul_(_by_head(probs, heads), inner, value=-1)
        grads.bias.add_(grad_probs.sum(1, True))
        grad_scores.add_(grad_probs)
        grads.keys.add_(product(grad_scores, x.t()))
        grad_x.add_(product(keys, grad_scores.t()).t())


def _by_head(scores: Tensor, heads: int) -> Tensor:
    return scores.unflatten(0, (heads, -1))
