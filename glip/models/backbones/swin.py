"""Swin Transformer (arXiv 2103.14030) with the parameter names of mmdet's."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glip.errors import ConfigError
from glip.models.backbones.swin_blocks import (
    PatchEmbed,
    PatchMerging,
    SwinBlock,
    SwinStage,
)
from glip.models.module import Module
from glip.registry import MODELS


@MODELS.register_module()
class SwinTransformer(Module):
    """Swin Transformer backbone (arXiv 2103.14030).

    Field and parameter names are those of ``mmdet.SwinTransformer`` so that its
    configs and weights carry over; what it can do and this one cannot is refused.

    Args:
        pretrain_img_size: (height, width), or a side, in pixels of the pictures that
            ``use_abs_pos_embed`` was trained on.
        embed_dims: Channels of the first stage; each next stage doubles them.
        depths: Blocks per stage.
        num_heads: Attention heads per stage.
        window_size: Side of a window in positions.
        strides: Of the patch embedding and the mergings; patches do not overlap, and
            each merging halves the map.
        patch_norm: Normalise embedded and merged patches.
        use_abs_pos_embed: Add an embedding of each position to the patches, resized to
            their map (bicubic).
        norm_cfg: ``LN``, optionally with ``eps`` and ``requires_grad``.
        act_cfg: ``GELU``.
        drop_path_rate: Stochastic depth of the last block, linear from 0.
        out_indices: Stages returned.
        frozen_stages: -1 trains everything; 0 freezes the patch embedding; n also
            freezes the first n stages. As mmdet counts: GLIP-L's recipe, called 2 in
            the original, is 1 here.
        with_cp: Recompute blocks in the backward pass to save memory.
        pretrained: As ``init_cfg=dict(type='Pretrained', checkpoint=pretrained)``.
        convert_weights: Accepted for mmdet's configs; a file with the names of the
            original Swin is converted whether or not it is set.
        init_cfg: mmengine's; ``dict(type='Pretrained', checkpoint=...)``.

    Raises:
        ConfigError: A field asks for what only ``mmdet.SwinTransformer`` can do.
    """

    def __init__(
        self,
        *,
        pretrain_img_size: int | Sequence[int] = 224,
        in_channels: int = 3,
        embed_dims: int = 96,
        patch_size: int = 4,
        window_size: int = 7,
        mlp_ratio: float = 4,
        depths: Sequence[int] = (2, 2, 6, 2),
        num_heads: Sequence[int] = (3, 6, 12, 24),
        strides: Sequence[int] | None = None,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        patch_norm: bool = True,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.1,
        use_abs_pos_embed: bool = False,
        act_cfg: Mapping[str, Any] | None = None,
        norm_cfg: Mapping[str, Any] | None = None,
        with_cp: bool = False,
        pretrained: str | None = None,
        frozen_stages: int = -1,
        convert_weights: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        _check_strides(strides, patch_size, len(depths))
        _check_type('act_cfg', act_cfg, 'GELU')
        _check_type('norm_cfg', norm_cfg, 'LN', 'eps', 'requires_grad')
        if pretrained is not None:
            if init_cfg is not None:
                raise ConfigError('backbone: give either pretrained or init_cfg')
            init_cfg = dict(type='Pretrained', checkpoint=pretrained)
        super().__init__(init_cfg=init_cfg)
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.patch_embed = PatchEmbed(in_channels, embed_dims, patch_size, patch_norm)
        self.absolute_pos_embed: nn.Parameter | None = None
        if use_abs_pos_embed:
            self.pretrained_map = _map_size(pretrain_img_size, patch_size)
            rows, columns = self.pretrained_map
            embedding = torch.zeros(1, rows * columns, embed_dims)
            self.absolute_pos_embed = nn.Parameter(embedding)
        self.drop_after_pos = nn.Dropout(drop_rate)
        total = sum(depths)
        rates = iter(drop_path_rate * i / max(total - 1, 1) for i in range(total))
        self.stages = nn.ModuleList()
        for i, depth in enumerate(depths):
            dims = embed_dims * 2**i
            blocks = [
                SwinBlock(
                    dims,
                    num_heads=num_heads[i],
                    window=window_size,
                    shift=window_size // 2 if number % 2 else 0,
                    mlp_ratio=mlp_ratio,
                    qkv_bias=qkv_bias,
                    scale=qk_scale,
                    attn_drop=attn_drop_rate,
                    drop=drop_rate,
                    drop_path=next(rates),
                    with_cp=with_cp,
                )
                for number in range(depth)
            ]
            merges = i < len(depths) - 1
            downsample = PatchMerging(dims, patch_norm) if merges else None
            self.stages.append(SwinStage(blocks, downsample))
        for i in self.out_indices:
            self.add_module(f'norm{i}', nn.LayerNorm(embed_dims * 2**i))
        self._set_norms(**{k: v for k, v in (norm_cfg or {}).items() if k != 'type'})
        self._freeze()

    def init_weights(self) -> None:
        """Truncated normal for linear layers, or the checkpoint of ``init_cfg``."""
        if self.init_cfg is not None:
            super().init_weights()
            return
        if self.absolute_pos_embed is not None:
            nn.init.trunc_normal_(self.absolute_pos_embed, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def _set_norms(self, eps: float = 1e-5, requires_grad: bool = True) -> None:
        for module in self.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = eps
                module.requires_grad_(requires_grad)

    def _freeze(self) -> None:
        if self.frozen_stages < 0:
            return
        frozen = [self.patch_embed, *self.stages[: self.frozen_stages]]
        if self.frozen_stages:
            frozen.append(self.drop_after_pos)
            if self.absolute_pos_embed is not None:
                self.absolute_pos_embed.requires_grad_(False)
        for i in range(self.frozen_stages):
            if i in self.out_indices:
                frozen.append(getattr(self, f'norm{i}'))
        for module in frozen:
            module.eval()
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> 'SwinTransformer':
        """Switch the mode; frozen stages stay in evaluation mode."""
        super().train(mode)
        self._freeze()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Extract features.

        Args:
            x: Normalised pictures, shape (B, 3, H, W).

        Returns:
            Maps of the stages in ``out_indices``, each (B, C, H / s, W / s), in memory
            channels last.
        """
        x = self.patch_embed(x)
        if self.absolute_pos_embed is not None:
            x = x + self._positions(x.shape[1:3])
        x = self.drop_after_pos(x)
        outs = []
        for i, stage in enumerate(cast(Iterable[SwinStage], self.stages)):
            x = stage(x)
            if i in self.out_indices:
                out = getattr(self, f'norm{i}')(x)
                outs.append(out.permute(0, 3, 1, 2))
            if stage.downsample is not None:
                x = stage.downsample(x)
        return tuple(outs)

    def _positions(self, size: Sequence[int]) -> Tensor:
        """The embedding of each position of a map of this size, (1, H, W, C)."""
        embedding = cast(Tensor, self.absolute_pos_embed)
        embedding = embedding.unflatten(1, self.pretrained_map)
        if tuple(size) == self.pretrained_map:
            return embedding
        resized = F.interpolate(
            embedding.permute(0, 3, 1, 2), tuple(size), mode='bicubic'
        )
        return resized.permute(0, 2, 3, 1)


def _map_size(pictures: int | Sequence[int], patch: int) -> tuple[int, int]:
    """Patches of a picture, (rows, columns)."""
    sides = [pictures] if isinstance(pictures, int) else list(pictures)
    if not 1 <= len(sides) <= 2:
        raise ConfigError(
            f'backbone: pretrain_img_size={pictures} must be one side or two'
        )
    return sides[0] // patch, sides[-1] // patch


def _check_strides(strides: Sequence[int] | None, patch: int, stages: int) -> None:
    """Only what the merging of this file does."""
    usual = (patch, *[2] * (stages - 1))
    if strides is not None and tuple(strides) != usual:
        raise ConfigError(
            f'backbone: strides={tuple(strides)} is not {usual}, the patch size and a '
            "halving before each further stage; type='mmdet.SwinTransformer' has others"
        )


def _check_type(
    field: str, config: Mapping[str, Any] | None, known: str, *options: str
) -> None:
    """Only the layers of this file."""
    config = config or {'type': known}
    if config.get('type') != known or not set(config) <= {'type', *options}:
        raise ConfigError(
            f"backbone: {field}={dict(config)} is not dict(type='{known}'), what "
            "Swin was published with; type='mmdet.SwinTransformer' has others"
        )
