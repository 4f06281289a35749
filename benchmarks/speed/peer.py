"""mmdet's GLIP as the peer: its own code, on our weights, mended while it runs.

As installed it can neither be built nor called with transformers 5, and the fork that
runs on current PyTorch interpolates between levels by the nearest pixel. What is mended
here is mended in this process only and put back afterwards; everything that costs time
is mmdet's own, with torchvision's deformable convolution where mmcv has none.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import mmdet
import torch
import torch.nn.functional as F
import transformers
from mmcv.ops.modulated_deform_conv import ModulatedDeformConv2d
from mmdet.models.dense_heads import atss_vlfusion_head
from mmdet.models.language_models import bert
from mmdet.models.utils import vlfuse_helper
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torchvision.ops import deform_conv2d
from transformers.pytorch_utils import apply_chunking_to_forward

from glip.compat.mmcv_ext.deform_conv import match_output
from glip.text import tokenizer as vocabularies

CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs' / 'glip'
_VOCABULARY = Path(vocabularies.__file__).parent / 'vocab' / 'bert-base-uncased.txt'


class _Tokenizer(transformers.BertTokenizer):
    """With the method that transformers 5 dropped."""

    def batch_encode_plus(self, texts: list[str], **options: Any):
        return self(texts, **options)


def _deform_conv(
    self: ModulatedDeformConv2d, x: Tensor, offset: Tensor, mask: Tensor
) -> Tensor:
    """Torchvision's kernel; larger fields are read flat, as mmcv's kernel does."""
    height, width = (
        (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
        for size, pad, dilation, kernel, stride in zip(
            x.shape[2:], self.padding, self.dilation, self.kernel_size, self.stride
        )
    )
    inputs = (
        x,
        match_output(offset, height, width),
        match_output(mask, height, width),
        self.weight,
        self.bias,
    )
    device = x.device.type
    half = torch.is_autocast_enabled(device) or x.dtype is torch.bfloat16
    x, offset, mask, weight, bias = (t.float() if half else t for t in inputs)
    geometry = dict(stride=self.stride, padding=self.padding, dilation=self.dilation)
    with torch.autocast(device, enabled=False):
        return deform_conv2d(x, offset, weight, bias, mask=mask, **geometry)


def _attention(self: nn.Module, hidden: Tensor, mask: Tensor, *_, **__) -> tuple:
    """``BertAttention.forward`` with the arguments that mmdet gives it."""
    attended = self.self(hidden, mask)
    return (self.output(attended[0], hidden), *attended[1:])


def _additive_mask(self: nn.Module, mask: Tensor, *_: Any) -> Tensor:
    """``get_extended_attention_mask`` of transformers 4 for a mask (B, T)."""
    dtype = next(self.parameters()).dtype
    return (1 - mask[:, None, None].to(dtype)) * torch.finfo(dtype).min


def _fusion_that_imports() -> ModuleType:
    """A copy of mmdet's fusion layers that finds what transformers 5 moved."""
    name = f'{vlfuse_helper.__name__}_mended'
    spec = importlib.util.spec_from_file_location(name, vlfuse_helper.__file__)
    module = importlib.util.module_from_spec(spec)
    moved = patch.object(
        transformers.modeling_utils,
        'apply_chunking_to_forward',
        apply_chunking_to_forward,
        create=True,
    )
    with moved:
        spec.loader.exec_module(module)
    module.BertAttention.forward = _attention
    module.BertEncoderLayer.get_extended_attention_mask = _additive_mask
    return module


@contextmanager
def mended() -> Iterator[None]:
    """Within it mmdet's GLIP can be built by :func:`build_peer`, and called."""
    fusion = _fusion_that_imports()
    functional = SimpleNamespace(**vars(F))
    functional.interpolate = partial(F.interpolate, mode='bilinear', align_corners=True)
    with ExitStack() as stack:
        for owner, name, value in (
            (ModulatedDeformConv2d, 'forward', _deform_conv),
            (atss_vlfusion_head, 'F', functional),
            (atss_vlfusion_head, 'VLFuse', fusion.VLFuse),
            (atss_vlfusion_head, 'BertEncoderLayer', fusion.BertEncoderLayer),
        ):
            stack.enter_context(patch.object(owner, name, value))
        yield


def peer_config(name: str) -> Config:
    """A config as mmdet ships it.

    Args:
        name: File name within its ``configs/glip``.
    """
    with DefaultScope.overwrite_default_scope('mmdet'):
        return Config.fromfile(CONFIGS / name)


def build_peer(
    cfg: dict, weights: dict[str, Tensor], bert_fields: dict | None = None
) -> nn.Module:
    """Mmdet's GLIP with given weights, in evaluation mode; inside :func:`mended`.

    Args:
        cfg: ``model`` of mmdet's config.
        weights: State dict under mmdet's names, which ours are.
        bert_fields: Fields of ``transformers.BertConfig`` that are not BERT-base's.

    Raises:
        RuntimeError: Names or shapes of the weights are not the peer's.
    """
    config = transformers.BertConfig(**(bert_fields or {}))
    # mmdet asks the hub for each of them, for the weights only to be overwritten.
    parts = dict(BertConfig=config, AutoTokenizer=_Tokenizer(str(_VOCABULARY)))
    with ExitStack() as stack:
        stack.enter_context(DefaultScope.overwrite_default_scope('mmdet'))
        for module, name in (
            (bert, 'BertConfig'),
            (bert, 'AutoTokenizer'),
            (atss_vlfusion_head, 'BertConfig'),
        ):
            stand_in = SimpleNamespace(from_pretrained=lambda _, n=name: parts[n])
            stack.enter_context(patch.object(module, name, stand_in))
        stand_in = SimpleNamespace(
            from_pretrained=lambda _, add_pooling_layer, config: transformers.BertModel(
                config, add_pooling_layer=add_pooling_layer
            )
        )
        stack.enter_context(patch.object(bert, 'HFBertModel', stand_in))
        # By its full name, as glip answers for it under mmdet's scope.
        model = MODELS.build(dict(cfg, type=f'mmdet.{cfg["type"]}'))
    model.load_state_dict(weights)
    return model.eval()
