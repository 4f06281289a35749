"""What a transformer block adds to its input, computed in tiles that fit the cache.

By whole maps, ``x + branch(norm(x))`` writes and reads memory for each norm, product
and activation, and keeps them all for the backward pass. Here a tile of rows goes
through the branch at a time. For the backward pass the input is kept and, unless memory
is short, one product of each branch; the rest, which is cheap, is computed again.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from glip.ops.cpu.packed_product import packed_product
from glip.ops.plain import is_plain
from glip.ops.torch_internals import layer_norm_backward

# Rows of a tile: what is computed of them takes a few megabytes.
TILE_ROWS = 4096


def works_in_tiles(x: Tensor) -> bool:
    """Whether branches are computed in tiles: on the CPU, uncompiled.

    Half precision, by autocast, is for inference: products are made in it, while the
    maps that branches are added to stay in float32. A GPU would start each operation of
    each tile on its own.
    """
    autocast = torch.is_autocast_enabled('cpu')
    return (
        not is_plain()
        and x.device.type == 'cpu'
        and (x.dtype in (torch.float32, torch.float64) or autocast)
        and not (autocast and torch.is_grad_enabled())
        and not torch.compiler.is_compiling()
    )


class TiledBranch:
    """Base of branches: a layer norm and what follows it.

    Args:
        x: Maps, shape (B, H, W, C).
        weights: A named tuple of ``norm_weight``, ``norm_bias`` and others.
        options: A named tuple with ``eps``, that of the norm.
        dtype: What matrix products are computed in.

    Attributes:
        tiles: What each tile takes of the rows of a map, (H*W, C): a slice, or a named
            tuple with ``rows``, their indices.
        grads: Gradients of the weights, to which :meth:`backward` adds.
    """

    tiles: Sequence[Any]
    grads: Any

    def __init__(
        self, x: Tensor, weights: Any, options: Any, dtype: torch.dtype
    ) -> None:
        self.weights, self.options, self.dtype = weights, options, dtype
        self._rows = x.numel() // x.shape[-1]
        self._products: dict[tuple[str, bool], Callable[[Tensor], Tensor]] = {}

    def forward(
        self, pixels: Tensor, tile: Any, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """What is added to the rows of a tile, and a product for the backward pass."""
        raise NotImplementedError

    def backward(
        self, pixels: Tensor, tile: Any, product: Tensor | None, grad: Tensor
    ) -> Tensor:
        """Gradient of the rows of a tile from that of what is added to them."""
        raise NotImplementedError

    def weight(self, name: str) -> Any:
        """A weight in the type of products, or None where there is none."""
        weight = getattr(self.weights, name)
        return None if weight is None else weight.to(self.dtype)

    def times(self, name: str, rows: Tensor) -> Tensor:
        """Affine map of rows (n, K) by ``<name>_weight`` (N, K) and its bias."""
        if (name, False) not in self._products:
            self._products[name, False] = packed_product(
                self.weight(f'{name}_weight'), self._rows, self.weight(f'{name}_bias')
            )
        return self._products[name, False](rows)

    def times_backward(self, name: str, grad: Tensor, rows: Tensor) -> Tensor:
        """Gradient of ``rows`` from that of :meth:`times` of them."""
        weight, bias = f'{name}_weight', f'{name}_bias'
        getattr(self.grads, weight).addmm_(grad.t(), rows)
        if getattr(self.grads, bias) is not None:
            getattr(self.grads, bias).add_(grad.sum(0))
        if (name, True) not in self._products:
            self._products[name, True] = packed_product(
                self.weight(weight).t(), self._rows
            )
        return self._products[name, True](grad)

    def norm(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Layer norm, means and inverse deviations."""
        normed, mean, rstd = torch.native_layer_norm(
            pixels,
            pixels.shape[1:],
            self.weights.norm_weight,
            self.weights.norm_bias,
            self.options.eps,
        )
        return normed.to(self.dtype), mean, rstd

    def norm_backward(
        self, grad: Tensor, pixels: Tensor, mean: Tensor, rstd: Tensor
    ) -> Tensor:
        """Gradient of ``pixels`` from that of the norm of them."""
        grad, grad_weight, grad_bias = layer_norm_backward(
            *(grad, pixels, mean, rstd),
            *(self.weights.norm_weight, self.weights.norm_bias),
        )
        self.grads.norm_weight.add_(grad_weight)
        self.grads.norm_bias.add_(grad_bias)
        return grad


def add_branch(
    branch: type[TiledBranch],
    options: Any,
    x: Tensor,
    weights: Any,
    factors: Tensor | None = None,
    *,
    recompute: bool = False,
    overwrite: bool = False,
) -> Tensor:
    """Maps with what a branch makes of them added.

    Args:
        branch: Its class.
        options: Handed to it.
        x: Shape (B, H, W, C); of half precision under autocast only.
        weights: Handed to it.
        factors: What is added to each map is multiplied by this (stochastic depth),
            shape (B,), or None for 1. Where it is 0 nothing is computed.
        recompute: Keep nothing but the input for the backward pass.
        overwrite: Write over ``x`` where no gradient is asked for.

    Returns:
        Shape (B, H, W, C).
    """
    x = x.contiguous()
    if torch.is_grad_enabled():
        return _AddBranch.apply(
            branch, options, factors, recompute, type(weights), x, *weights
        )
    dtype = x.dtype
    if torch.is_autocast_enabled('cpu'):
        dtype = torch.get_autocast_dtype('cpu')
        if x.dtype.itemsize == 2:
            x = x.float()
    with torch.autocast('cpu', enabled=False):
        tiled = branch(x, weights, options, dtype)
        return _forward(tiled, x, factors, x if overwrite else torch.empty_like(x))


class _AddBranch(torch.autograd.Function):
    @staticmethod
    def forward(ctx, branch, options, factors, recompute, kind, x, *weights):
        ctx.branch, ctx.options, ctx.kind = branch, options, kind
        products = None if recompute or not any(ctx.needs_input_grad) else []
        tiled = branch(x, kind(*weights), options, x.dtype)
        out = _forward(tiled, x, factors, torch.empty_like(x), products)
        ctx.save_for_backward(factors, x, *weights, *(products or ()))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        factors, x, *tensors = ctx.saved_tensors
        count = len(ctx.kind._fields)
        weights, products = ctx.kind(*tensors[:count]), iter(tensors[count:])
        tiled = ctx.branch(x, weights, ctx.options, x.dtype)
        tiled.grads = ctx.kind(
            *(None if w is None else torch.zeros_like(w) for w in weights)
        )
        grad, grad_x = grad.contiguous(), torch.empty_like(x)
        for rows, map_grad, target, factor in _maps(factors, x, grad, grad_x):
            if factor == 0:
                target.copy_(map_grad)
                continue
            for tile in tiled.tiles:
                tile_grad = _read(map_grad, tile)
                branch_grad = tile_grad if factor == 1 else tile_grad * factor
                branch_grad = tiled.backward(
                    _read(rows, tile), tile, next(products, None), branch_grad
                )
                _write(target, tile, branch_grad.add_(tile_grad))
        return *[None] * 5, grad_x, *tiled.grads


def _forward(
    branch: TiledBranch,
    x: Tensor,
    factors: Tensor | None,
    out: Tensor,
    products: list[Tensor] | None = None,
) -> Tensor:
    """Fill ``out``, and ``products`` by tiles where it is a list."""
    for rows, target, factor in _maps(factors, x, out):
        if factor == 0:
            target.copy_(rows)
            continue
        for tile in branch.tiles:
            pixels = _read(rows, tile)
            added, product = branch.forward(pixels, tile, products is not None)
            if products is not None and product is not None:
                products.append(product)
            _write(target, tile, torch.add(pixels, added, alpha=factor))
    return out


def _maps(factors: Tensor | None, *maps: Tensor) -> Iterator[tuple[Any, ...]]:
    """Rows of each map of batches, and the factor of what is added to it."""
    shares = [1.0] * len(maps[0]) if factors is None else factors.flatten().tolist()
    return zip(*(batch.flatten(1, 2) for batch in maps), shares, strict=True)


def _read(rows: Tensor, tile: Any) -> Tensor:
    return rows[tile] if isinstance(tile, slice) else rows.index_select(0, tile.rows)


def _write(rows: Tensor, tile: Any, values: Tensor) -> None:
    if isinstance(tile, slice):
        rows[tile] = values
    else:
        rows.index_copy_(0, tile.rows, values)
