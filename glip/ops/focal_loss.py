"""Sum of sigmoid focal losses over binary targets, keeping little for the gradient.

The token loss of a batch has a value for every anchor and token, tens of millions of
them. Written as a chain of tensor operations it keeps a dozen maps of that size for the
backward pass; here the logits and two binary maps are all that is kept, and the work is
done in tiles that fit a CPU's cache. The arithmetic is that of arXiv 1708.02002, eq. 5.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

# Values worked on at a time: a tile of a CPU stays in its cache, a GPU wants few calls.
_TILE_CPU, _TILE_GPU = 1 << 18, 1 << 26


def _tiles(*maps: Tensor):
    """Rows of all maps (N, T) that are worked on together."""
    tile = _TILE_CPU if maps[0].device.type == 'cpu' else _TILE_GPU
    rows = max(1, tile // max(1, maps[0].shape[1]))
    return zip(*(m.split(rows) for m in maps), strict=True)


def _wrong(logits: Tensor, targets: Tensor) -> Tensor:
    """Logits of deciding wrongly, in float32."""
    logits = logits.float()
    return torch.where(targets, -logits, logits)


def _factor(targets: Tensor, valid: Tensor, positive: float, negative: float) -> Tensor:
    return torch.where(targets, positive, negative) * valid


class _FocalSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, targets, valid, alpha, gamma):
        ctx.save_for_backward(logits, targets, valid)
        ctx.alpha, ctx.gamma = alpha, gamma
        total = torch.zeros((), device=logits.device)
        for x, target, use in _tiles(logits, targets, valid):
            z = _wrong(x, target)
            loss = z.sigmoid().pow_(gamma).mul_(F.softplus(z))
            total += loss.mul_(_factor(target, use, alpha, 1 - alpha)).sum()
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        logits, targets, valid = ctx.saved_tensors
        alpha, gamma = ctx.alpha, ctx.gamma
        out = torch.empty_like(logits)
        for x, target, use, part in _tiles(logits, targets, valid, out):
            z = _wrong(x, target)
            p = z.sigmoid()
            slope = F.softplus(z).mul_(1 - p).mul_(gamma).add_(p).mul_(p.pow_(gamma))
            slope.mul_(_factor(target, use, -alpha, 1 - alpha))
            part.copy_(slope.mul_(grad))
        return out, None, None, None, None


def focal_loss_sum(
    logits: Tensor,
    targets: Tensor,
    valid: Tensor,
    *,
    alpha: float = 0.25,
    gamma: float = 2.0,
) -> Tensor:
    """Focal loss summed over the valid entries.

    Args:
        logits: Shape (N, T), any floating type; computed in float32.
        targets: True where the answer is yes, shape (N, T).
        valid: True where an entry counts, shape (N, T) or one that expands to it.
        alpha: Weight of positive entries; the others have ``1 - alpha``.
        gamma: Exponent that lowers the loss of easy entries.

    Returns:
        A float32 scalar.
    """
    return _FocalSum.apply(logits, targets, valid.expand_as(targets), alpha, gamma)
