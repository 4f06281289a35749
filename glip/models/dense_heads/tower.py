"""The network of the grounding head: DyHead tower, fusion, and three predictions."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glip.models.language import BertConfig, BertLayer, TextFeatures
from glip.models.layers import DyConv, VLFuse
from glip.models.module import Module

# Token logits are clamped as in the original, which keeps half precision finite.
_LOGIT_LIMIT = 50000


class Scale(nn.Module):
    """One learnable factor."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class ResidualGate(nn.Module):
    """What passes of the update that a block of the tower makes.

    Args:
        channels: Channels of the maps.
        lang_dim: Channels of a token; None where blocks do not change tokens.
        init: Initial share.
    """

    def __init__(self, channels: int, lang_dim: int | None, init: float) -> None:
        super().__init__()
        self.visual = nn.Parameter(torch.full((channels,), float(init)))
        self.language = None
        if lang_dim is not None:
            self.language = nn.Parameter(torch.full((lang_dim,), float(init)))

    def forward(
        self,
        visual: tuple[Tensor, ...],
        text: TextFeatures | None,
        new_visual: tuple[Tensor, ...],
        new_text: TextFeatures | None,
    ) -> tuple[tuple[Tensor, ...], TextFeatures | None]:
        """Interpolate from the input of a block to its output."""
        # The parts may differ in precision under autocast; the sum has the higher one.
        gate = self.visual[:, None, None]
        visual = tuple(
            x + gate * (new_x - x) for x, new_x in zip(visual, new_visual, strict=True)
        )
        if self.language is not None and text is not None and new_text is not None:
            hidden = text.hidden + self.language * (new_text.hidden - text.hidden)
            new_text = replace(new_text, hidden=hidden)
        return visual, new_text


class VLFusionModule(Module):
    """Tower of the detection head and its predictions (paper section 3.1-3.2).

    Args:
        in_channels: Channels of every pyramid level.
        num_levels: Pyramid levels.
        num_priors: Anchors per position.
        lang_config: Shape of the language model whose tokens are scored.
        early_fuse: Interleave cross-modal fusion with the tower (GLIP-T (B) and up).
        num_dyhead_blocks: Blocks of the tower.
        fusion: Fields of :class:`~glip.models.layers.fusion.BiAttention`:
            ``embed_dim``, ``num_heads``, ``dropout``, ``drop_path`` and
            ``init_values`` (default: one over the number of blocks).
        num_groups: Groups of the tower's group norms.
        use_dcn: Deformable convolutions in the tower.
        use_dyfuse: Attention over the three sources of a tower block.
        use_dyrelu: DyReLU in the tower.
        use_checkpoint: Recompute the tower, except for the convolutions of DyHead, in
            the backward pass to save memory.
        residual_gate: Initial share of a block's update of maps and tokens that passes,
            a factor per channel that is learned; None (GLIP's published models) lets
            blocks replace their input. A small one keeps what backbone and neck know
            while the tower begins to learn.
        prior_prob: Probability every token starts training with.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        num_levels: int,
        num_priors: int,
        lang_config: BertConfig,
        early_fuse: bool = False,
        num_dyhead_blocks: int = 6,
        fusion: dict | None = None,
        num_groups: int = 16,
        use_dcn: bool = True,
        use_dyfuse: bool = True,
        use_dyrelu: bool = True,
        use_checkpoint: bool = False,
        residual_gate: float | None = None,
        prior_prob: float = 0.01,
    ) -> None:
        super().__init__()
        self.early_fuse = early_fuse
        lang_dim = lang_config.hidden_size
        fusion = dict(init_values=1 / max(1, num_dyhead_blocks)) | (fusion or {})
        tower = []
        for _ in range(num_dyhead_blocks):
            if early_fuse:
                tower.append(
                    VLFuse(
                        v_dim=in_channels,
                        l_dim=lang_dim,
                        use_checkpoint=use_checkpoint,
                        **fusion,
                    )
                )
                tower.append(BertLayer(lang_config, use_checkpoint=use_checkpoint))
            tower.append(
                DyConv(
                    in_channels,
                    num_groups=num_groups,
                    use_dcn=use_dcn,
                    use_dyfuse=use_dyfuse,
                    use_dyrelu=use_dyrelu,
                    use_checkpoint=use_checkpoint,
                )
            )
        self.dyhead_tower = nn.ModuleList(tower)
        self.gates = None
        if residual_gate is not None:
            self.gates = nn.ModuleList(
                ResidualGate(
                    in_channels, lang_dim if early_fuse else None, residual_gate
                )
                for _ in range(num_dyhead_blocks)
            )
        self.bbox_pred = nn.Conv2d(in_channels, num_priors * 4, 1)
        self.centerness = nn.Conv2d(in_channels, num_priors, 1)
        self.dot_product_projection_text = nn.Linear(lang_dim, num_priors * in_channels)
        self.log_scale = nn.Parameter(torch.zeros(1))
        self.bias_lang = nn.Parameter(torch.zeros(lang_dim))
        self.bias0 = nn.Parameter(
            torch.tensor([-math.log((1 - prior_prob) / prior_prob)])
        )
        self.scales = nn.ModuleList(Scale() for _ in range(num_levels))
        for conv in (self.bbox_pred, self.centerness):
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(cast(Tensor, conv.bias))

    def tower(
        self, visual: tuple[Tensor, ...], text: TextFeatures | None
    ) -> tuple[tuple[Tensor, ...], TextFeatures | None]:
        """Run the blocks; without ``early_fuse`` the text passes through untouched."""
        gates = iter(self.gates or ())
        block_input = visual, text
        for layer in self.dyhead_tower:
            if isinstance(layer, VLFuse):
                visual, text = layer(visual, text)
            elif isinstance(layer, BertLayer):
                words = cast(TextFeatures, text)  # only with fusion is it a layer
                hidden = layer(words.hidden, words.attention_mask)
                text = replace(words, hidden=hidden)
            else:  # DyConv, the last layer of a block
                visual = layer(visual)
                if self.gates is not None:
                    visual, text = next(gates)(*block_input, visual, text)
                    block_input = visual, text
        return visual, text

    def encode_levels(self, visual: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Run what needs no words: without ``early_fuse`` the whole tower."""
        return visual if self.early_fuse else self.tower(visual, None)[0]

    def token_keys(self, text: TextFeatures) -> tuple[Tensor, Tensor]:
        """What positions are compared with (paper eq. 3).

        Args:
            text: Prompts, tokens (B, T, D), that have been through :meth:`tower`.

        Returns:
            Keys (B, T, C) and a bias per token (B, T).
        """
        return self.keys_of(text.hidden if self.early_fuse else text.embedded)

    def keys_of(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (..., D) to keys (..., C) and biases (...)."""
        # In half precision the norm of a token may overflow, or vanish for padding.
        tokens = F.normalize(tokens.float(), dim=-1).to(tokens.dtype)
        keys = self.dot_product_projection_text(tokens / 2) / self.log_scale.exp()
        return keys, tokens @ self.bias_lang + self.bias0

    def token_logits(
        self, visual: tuple[Tensor, ...], text: TextFeatures
    ) -> tuple[Tensor, ...]:
        """Match every position with every token (paper eq. 3).

        Args:
            visual: Tower outputs, (B, C, H, W) per level.
            text: Prompts, tokens (B, T, D).

        Returns:
            Logits (B, H*W, T) per level.
        """
        keys, bias = self.token_keys(text)
        logits = []
        for level in visual:
            queries = level.flatten(2).transpose(1, 2)
            scores = torch.baddbmm(bias[:, None], queries, keys.transpose(1, 2))
            logits.append(scores.clamp(-_LOGIT_LIMIT, _LOGIT_LIMIT))
        return tuple(logits)

    def boxes(
        self, visual: tuple[Tensor, ...]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Deltas (B, 4, H, W) and centerness logits (B, 1, H, W) per level."""
        deltas = tuple(
            scale(self.bbox_pred(x))
            for scale, x in zip(self.scales, visual, strict=True)
        )
        return deltas, tuple(self.centerness(x) for x in visual)

    def product(self, rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Affine map of rows (N, K) by a weight (M, K), to (N, M)."""
        return F.linear(rows, weight, bias)

    def row_boxes(self, rows: Tensor, sizes: Sequence[int]) -> tuple[Tensor, Tensor]:
        """As :meth:`boxes`, in one product for the positions of all levels.

        Args:
            rows: Tower outputs (N, C), level after level.
            sizes: Positions of each level.

        Returns:
            Deltas (N, 4) and centerness logits (N,).
        """
        convs = (self.bbox_pred, self.centerness)
        weight = torch.cat([conv.weight for conv in convs]).flatten(1)
        out = self.product(
            rows, weight, torch.cat([cast(Tensor, conv.bias) for conv in convs])
        )
        deltas, centerness = out.split((4, 1), 1)
        scale = torch.cat(
            [
                scale.scale.expand(count)
                for scale, count in zip(
                    cast(Iterable[Scale], self.scales), sizes, strict=True
                )
            ]
        )
        return deltas * scale[:, None], centerness[:, 0]

    def forward(
        self, visual: tuple[Tensor, ...], text: TextFeatures
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Token logits, deltas and centerness of B picture and prompt pairs."""
        return self.match(self.encode_levels(visual), text)

    def match(
        self, levels: tuple[Tensor, ...], text: TextFeatures
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...]]:
        """As :meth:`forward`, from what :meth:`encode_levels` gives."""
        if self.early_fuse:
            levels, refined = self.tower(levels, text)
            text = cast(TextFeatures, refined)
        return (self.token_logits(levels, text), *self.boxes(levels))
