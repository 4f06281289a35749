"""BERT language encoder: prompts in, token features out."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from glip.errors import ConfigError
from glip.models.module import Module
from glip.ops import to_device
from glip.registry import MODELS
from glip.text import EncodedPrompt, Tokenizer

from .bert_config import PACKAGED, BertConfig, resolve_bert_config
from .bert_network import BertNetwork
from .features import TextFeatures


class BertEncoder(nn.Module):
    """BERT with GLIP's readout (modeling of the original's BertEncoder).

    Args:
        config: Shape of the BERT.
        add_pooling_layer: Keep the pooler, which GLIP does not use.
        num_layers_of_embedded: Last layers averaged into ``embedded``.
        use_checkpoint: Recompute layers in the backward pass to save memory.
    """

    def __init__(
        self,
        config: BertConfig,
        *,
        add_pooling_layer: bool = False,
        num_layers_of_embedded: int = 1,
        use_checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.language_dim = config.hidden_size
        self.num_layers_of_embedded = num_layers_of_embedded
        self.model = BertNetwork(
            config, add_pooling_layer=add_pooling_layer, use_checkpoint=use_checkpoint
        )
        if self.model.pooler is not None:
            # Never used, so it has no gradient, which distributed training refuses.
            self.model.pooler.requires_grad_(False)

    def forward(self, input_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, T) and their mask to (hidden, embedded), each (B, T, D)."""
        states = self.model(input_ids, mask)
        embedded = hidden = states[-1]
        count = self.num_layers_of_embedded
        if count > 1:
            # The original divides the mean by the number of layers once more.
            embedded = torch.stack(states[-count:], 1).mean(1) / count
        return hidden, embedded * mask[..., None]


@MODELS.register_module()
class BertModel(Module):
    """Language model of GLIP (paper section 3.1).

    Shape and vocabulary come from ``name``; for 'bert-base-uncased' both are in the
    package. Weights are only looked for when training starts without a checkpoint
    (:meth:`init_weights`), so inference and tests never touch a hub.

    Args:
        name: 'bert-base-uncased', a directory made by ``save_pretrained`` or
            ``tools/misc/save_bert.py``, or a hub id.
        max_tokens: Token budget of one prompt, [CLS] and [SEP] included.
        pad_to_max: Pad every prompt to ``max_tokens`` as the original does; the
            result is the same, only slower.
        config: Fields of :class:`BertConfig` that differ from ``name``'s.
        vocab: Vocabulary file or directory when it is not that of ``name``.
        pretrained: Where training without a checkpoint takes its weights from: True
            for ``name``, a directory for another source, False for random weights.
        frozen: Keep the language model as it is while the rest trains.
        use_sub_sentence_represent: Only False is supported (a Grounding DINO field).
        add_pooling_layer: Keep BERT's pooler, which GLIP does not use.
        num_layers_of_embedded: Last layers averaged into the class embedding.
        use_checkpoint: Recompute layers in the backward pass to save memory.
    """

    def __init__(
        self,
        *,
        name: str = PACKAGED,
        max_tokens: int = 256,
        pad_to_max: bool = False,
        config: dict | None = None,
        vocab: str | None = None,
        pretrained: bool | str = True,
        frozen: bool = False,
        use_sub_sentence_represent: bool = False,
        special_tokens_list: list | None = None,
        add_pooling_layer: bool = False,
        num_layers_of_embedded: int = 1,
        use_checkpoint: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if use_sub_sentence_represent or special_tokens_list:
            raise ConfigError(
                'language_model: use_sub_sentence_represent and special_tokens_list '
                'belong to Grounding DINO; remove them for GLIP'
            )
        self.name = name
        self.max_tokens = max_tokens
        self.pad_to_max = pad_to_max
        self.pretrained = pretrained
        # Set by the runner when a checkpoint will overwrite the language weights.
        self.skip_pretrained = False
        self.tokenizer = Tokenizer(vocab or name)
        self.config = resolve_bert_config(name, **(config or {}))
        if self.tokenizer.vocab_size > self.config.vocab_size:
            raise ConfigError(
                f'the vocabulary has {self.tokenizer.vocab_size} tokens, the language '
                f'model embeds {self.config.vocab_size}'
            )
        if max_tokens > self.config.max_position_embeddings:
            raise ConfigError(
                f'max_tokens={max_tokens} is more than the '
                f'{self.config.max_position_embeddings} positions of the language model'
            )
        encoder = BertEncoder(
            self.config,
            add_pooling_layer=add_pooling_layer,
            num_layers_of_embedded=num_layers_of_embedded,
            use_checkpoint=use_checkpoint,
        )
        self.language_backbone: Any = nn.Sequential(OrderedDict(body=encoder))
        self.frozen = frozen
        if frozen:
            self.requires_grad_(False)

    def train(self, mode: bool = True) -> 'BertModel':
        """Switch the mode; a frozen language model stays in evaluation mode."""
        return super().train(mode and not self.frozen)

    @property
    def language_dim(self) -> int:
        """Channels of a token."""
        return self.config.hidden_size

    def init_weights(self) -> None:
        """Load the pretrained language weights that ``name`` stands for.

        Raises:
            ConfigError: If they can neither be read locally nor from the hub.
        """
        if not self.pretrained or self.skip_pretrained:
            return
        from transformers import BertModel as HFBertModel  # late: takes seconds

        name = self.name if self.pretrained is True else self.pretrained
        model = self.language_backbone.body.model
        try:
            source = HFBertModel.from_pretrained(
                name, add_pooling_layer=model.pooler is not None
            ).state_dict()
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"no weights for the language model '{name}': give load_from=, "
                'or a local directory as name and lang_model_name '
                '(tools/misc/save_bert.py makes one), or pretrained=False to train it '
                f'from scratch ({str(error).splitlines()[0]})'
            ) from None
        # A cut of the source: its first layers, and no more positions than are used.
        positions = 'embeddings.position_embeddings.weight'
        source[positions] = source[positions][: self.config.max_position_embeddings]
        expected = model.state_dict()
        if any(
            k not in source or source[k].shape != v.shape for k, v in expected.items()
        ):
            raise ConfigError(
                f"the weights of '{name}' have another shape than the language model's "
                'config'
            )
        model.load_state_dict({key: source[key] for key in expected})
        origin = 'directory' if Path(name).is_dir() else 'hub'
        print_log(f"language weights from {origin} '{name}'", 'current')

    def forward(self, prompts: Sequence[EncodedPrompt]) -> TextFeatures:
        """Encode a batch of prompts; equal ones go through BERT once.

        Args:
            prompts: B encoded prompts.

        Returns:
            Features padded to the longest prompt (or to ``max_tokens``).
        """
        unique = list(dict.fromkeys(p.input_ids for p in prompts))
        row = {ids: i for i, ids in enumerate(unique)}
        device = next(self.parameters()).device
        length = self.max_tokens if self.pad_to_max else max(map(len, unique))
        ids = torch.full((len(unique), length), self.tokenizer.pad_id)
        mask = torch.zeros(len(unique), length, dtype=torch.bool)
        for i, tokens in enumerate(unique):
            ids[i, : len(tokens)] = torch.tensor(tokens)
            mask[i, : len(tokens)] = True
        ids, mask = to_device(ids, device), to_device(mask, device)
        hidden, embedded = self.language_backbone.body(ids, mask)
        padded = min(map(len, unique)) < length
        features = TextFeatures(hidden, embedded, mask, padded)
        return features.take([row[p.input_ids] for p in prompts])
