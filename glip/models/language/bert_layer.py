"""One BERT encoder layer: of the language model, and between the fusion layers."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from glip.errors import ConfigError
from glip.models.module import Module

from .bert_config import BertConfig


class _SelfAttention(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        dims = config.hidden_size
        if dims % config.num_attention_heads:
            raise ConfigError(
                f'language model: hidden_size {dims} is not a multiple of '
                f'num_attention_heads {config.num_attention_heads}'
            )
        self.num_heads = config.num_attention_heads
        self.drop = config.attention_probs_dropout_prob
        self.query = nn.Linear(dims, dims)
        self.key = nn.Linear(dims, dims)
        self.value = nn.Linear(dims, dims)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, dims = x.shape
        q, k, v = (
            layer(x).view(batch, length, self.num_heads, -1).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        x = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=None if mask is None else mask[:, None, None],
            dropout_p=self.drop if self.training else 0.0,
        )
        return x.transpose(1, 2).reshape(batch, length, dims)


class _Output(nn.Module):
    """Projection, dropout and post-norm residual."""

    def __init__(self, in_dims: int, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(in_dims, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(x)) + residual)


class _Intermediate(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.dense(x))


class BertLayer(Module):
    """Post-norm transformer layer with the parameter names of transformers' BertLayer.

    Args:
        config: Shape, dropout rates and norm epsilon.
        use_checkpoint: Recompute in the backward pass to save memory.
    """

    def __init__(self, config: BertConfig, *, use_checkpoint: bool = False) -> None:
        super().__init__()
        self.use_checkpoint = use_checkpoint
        dims = config.hidden_size
        self.attention = nn.ModuleDict()
        self.attention['self'] = _SelfAttention(config)
        self.attention['output'] = _Output(dims, config)
        self.intermediate = _Intermediate(config)
        self.output = _Output(config.intermediate_size, config)

    def forward(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Refine tokens.

        Args:
            hidden: Shape (B, T, D).
            mask: True where a token is real, shape (B, T); None if all are.

        Returns:
            Shape (B, T, D).
        """
        if self.use_checkpoint and self.training:
            return checkpoint(self._refine, hidden, mask, use_reentrant=False)
        return self._refine(hidden, mask)

    def _refine(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        attended = self.attention['self'](hidden, mask)
        attended = self.attention['output'](attended, hidden)
        return self.output(self.intermediate(attended), attended)
