"""The networks with kernels that are fast on a CPU, put into a model from outside.

Each class has the name and the parameters of the one that it takes the place of. It
takes the plain way of that class wherever its kernel does not apply: on a GPU,
compiled, in types that the kernel does not know, and within
:func:`glip.ops.plain_path`.
"""

from typing import TypeVar

from torch import nn

from glip.models.backbones import csp as plain_csp
from glip.models.backbones import swin_blocks as plain_swin
from glip.models.cpu.csp import LeakyConv
from glip.models.cpu.dyhead import DeformConv3x3, DyConv, FrozenDyConv
from glip.models.cpu.fusion import BiAttention, BiMultiHeadAttention
from glip.models.cpu.head import ATSSVLFusionHead, VLFusionModule
from glip.models.cpu.swin import PatchMerging, SwinBlock
from glip.models.dense_heads import atss_vlfusion_head as plain_head
from glip.models.dense_heads import tower as plain_tower
from glip.models.language import BertLayer
from glip.models.layers import dyhead as plain_dyhead
from glip.models.layers import fusion as plain_fusion
from glip.ops.cpu import Linear

Model = TypeVar('Model', bound=nn.Module)

_KERNELS: dict[type[nn.Module], type[nn.Module]] = {
    plain_dyhead.DeformConv3x3: DeformConv3x3,
    plain_dyhead.DyConv: DyConv,
    plain_head.ATSSVLFusionHead: ATSSVLFusionHead,
    plain_tower.VLFusionModule: VLFusionModule,
    plain_fusion.BiAttention: BiAttention,
    plain_fusion.BiMultiHeadAttention: BiMultiHeadAttention,
    plain_swin.PatchMerging: PatchMerging,
    plain_swin.SwinBlock: SwinBlock,
}

# Of models whose weights stay as they are.
_KERNELS_OF_FROZEN: dict[type[nn.Module], type[nn.Module]] = {
    plain_csp.LeakyConv: LeakyConv,
    plain_dyhead.DyConv: FrozenDyConv,
}


def use_cpu_kernels(model: Model, *, frozen: bool = False) -> Model:
    """Let the networks in a model compute with kernels for the CPU.

    Weights, their names, and what is computed stay, up to the order of float additions.
    To be called before the model is wrapped for distributed training or compiled; on a
    GPU, and a second time, it changes nothing.

    Args:
        model: Changed in place.
        frozen: The model is for inference: weights may be laid out once for many
            pictures. It may be trained all the same, but for its weights being changed
            by way of ``.data``, as averaging them does.

    Returns:
        The model.
    """
    kernels = _KERNELS | (_KERNELS_OF_FROZEN if frozen else {})
    for module in model.modules():
        module.__class__ = kernels.get(type(module), type(module))
        if isinstance(module, (SwinBlock, BertLayer)):
            for layer in module.modules():
                if type(layer) is nn.Linear:
                    layer.__class__ = Linear
    return model
