"""BERT (arXiv 1810.04805) with the parameter names of transformers' ``BertModel``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .bert_config import BertConfig
from .bert_layer import BertLayer


class _Embeddings(nn.Module):
    """Sum of the vectors of word, position and kind of sentence, normed."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        dims = config.hidden_size
        self.word_embeddings = nn.Embedding(
            config.vocab_size, dims, padding_idx=config.pad_token_id
        )
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, dims)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, dims)
        self.LayerNorm = nn.LayerNorm(dims, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Ids (B, T) to vectors (B, T, D); all are of the first sentence."""
        x = self.word_embeddings(input_ids) + self.token_type_embeddings.weight[0]
        x = x + self.position_embeddings.weight[: input_ids.shape[1]]
        return self.dropout(self.LayerNorm(x))


class _Encoder(nn.Module):
    def __init__(self, config: BertConfig, *, use_checkpoint: bool) -> None:
        super().__init__()
        self.layer = nn.ModuleList(
            BertLayer(config, use_checkpoint=use_checkpoint)
            for _ in range(config.num_hidden_layers)
        )


class _Pooler(nn.Module):
    """Weights that come with a BERT; GLIP does not use them."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)


class BertNetwork(nn.Module):
    """Embeddings and layers of a BERT.

    Args:
        config: Shape.
        add_pooling_layer: Have the pooler, which :meth:`forward` does not call.
        use_checkpoint: Recompute layers in the backward pass to save memory.
    """

    def __init__(
        self,
        config: BertConfig,
        *,
        add_pooling_layer: bool = False,
        use_checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.embeddings = _Embeddings(config)
        self.encoder = _Encoder(config, use_checkpoint=use_checkpoint)
        self.pooler = _Pooler(config) if add_pooling_layer else None
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=config.initializer_range)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        if config.pad_token_id is not None:
            with torch.no_grad():
                self.embeddings.word_embeddings.weight[config.pad_token_id].zero_()

    def forward(self, input_ids: Tensor, mask: Tensor | None) -> list[Tensor]:
        """Hidden states of tokens.

        Args:
            input_ids: Shape (B, T).
            mask: True where a token is real, shape (B, T); None if all are.

        Returns:
            The embeddings, then what each layer makes of them, (B, T, D) each.
        """
        states = [self.embeddings(input_ids)]
        for layer in self.encoder.layer:
            states.append(layer(states[-1], mask))
        return states
