"""The networks with kernels that are fast on a CPU, put into a model from outside.

Each class has the name and the parameters of the one that it takes the place of. It
takes the plain way of that class wherever its kernel does not apply: on a GPU,
compiled, in types that the kernel does not know, and within
:func:`glip.ops.plain_path`.
"""

from typing import TypeVar

from torch import nn

from glip.models.backbones import swin_blocks as plain_swin
from glip.models.cpu.dyhead import DeformConv3x3, DyConv
from glip.models.cpu.fusion import BiAttention, BiMultiHeadAttention
from glip.models.cpu.head import ATSSVLFusionHead, VLFusionModule
from glip.models.cpu.swin import PatchMerging, SwinBlock
from glip.models.dense_heads import atss_vlfusion_head as plain_head
from glip.models.dense_heads import tower as plain_tower
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


def use_cpu_kernels(model: Model) -> Model:
    """Let the networks in a model compute with kernels for the CPU.

    Weights, their names, and what is computed stay, up to the order of float additions.
    To be called before the model is wrapped for distributed training or compiled; on a
    GPU, and a second time, it changes nothing.

    Args:
        model: Changed in place.

    Returns:
        The model.
    """
    for module in model.modules():
        module.__class__ = _KERNELS.get(type(module), type(module))
        if isinstance(module, SwinBlock):
            for layer in module.modules():
                if type(layer) is nn.Linear:
                    layer.__class__ = Linear
    return model
