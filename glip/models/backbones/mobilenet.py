"""MobileNetV2, the light backbone of GLIP-nano."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

from glip.registry import MODELS


@MODELS.register_module()
class TorchvisionMobileNetV2(BaseModule):
    """torchvision's MobileNetV2 (arXiv 1801.04381) as a feature extractor.

    Parameters keep torchvision's names, so its ImageNet weights load as they are.

    Args:
        out_indices: Layers of ``features`` returned; (6, 13, 17) gives 32, 96 and 320
            channels at strides 8, 16 and 32.
        frozen_layers: Leading layers of ``features`` that do not train.
        norm_eval: Keep the running statistics of batch norm while training.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` starts from torchvision's
            ImageNet weights.
    """

    def __init__(
        self,
        *,
        out_indices: Sequence[int] = (6, 13, 17),
        frozen_layers: int = 0,
        norm_eval: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.out_indices = tuple(out_indices)
        self.frozen_layers = frozen_layers
        self.norm_eval = norm_eval
        self.features = mobilenet_v2().features[: max(self.out_indices) + 1]
        self._freeze()

    def _freeze(self) -> None:
        for layer in self.features[: self.frozen_layers]:
            layer.eval()
            layer.requires_grad_(False)

    def train(self, mode: bool = True) -> 'TorchvisionMobileNetV2':
        """Switch the mode; frozen layers and, if asked, batch norm stay in eval."""
        super().train(mode)
        self._freeze()
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Normalised RGB pictures (B, 3, H, W) to maps (B, C, H / s, W / s)."""
        outs = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.out_indices:
                outs.append(x)
        return tuple(outs)
