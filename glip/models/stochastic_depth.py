"""Residual branches that are left out by chance while training."""

from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """Drops its input for whole items of a batch (arXiv 1603.09382).

    Args:
        p: Probability that an item is dropped; what is kept is scaled up for it.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f'a probability of dropping is from 0 to 1, not {p}')
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, ...) to the same shape."""
        if not self.training or self.p == 0:
            return x
        kept = 1.0 - self.p
        noise = x.new_empty(len(x), *[1] * (x.ndim - 1)).bernoulli_(kept)
        return x * (noise.div_(kept) if kept > 0 else noise)
