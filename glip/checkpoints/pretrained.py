"""Parts of a model that start from weights of somebody else's file, or need not."""

from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from glip.checkpoints import read_checkpoint, to_mmdet
from glip.errors import CheckpointError
from glip.models.module import is_pretrained
from glip.registry import WEIGHT_INITIALIZERS

_ORIGINAL_SWIN = 'layers.0.blocks.0.attn.qkv.weight'


@WEIGHT_INITIALIZERS.register_module()
class Pretrained:
    """``init_cfg=dict(type='Pretrained', checkpoint=...)`` without running the file.

    What else the file holds, a classifier for instance, is left out. A few parameters
    may be new, as the output norms of a Swin that was trained to classify; they are
    named in the log. Names of the original Swin are converted.

    Args:
        checkpoint: Path of the weights.
        prefix: Leading part of the keys that belong to the module.
        map_location: Accepted for mmengine's configs; parameters stay where they are.

    Raises:
        CheckpointError: If parameters have other shapes, or more than a tenth of them
            is not in the file.
    """

    def __init__(
        self,
        checkpoint: str,
        prefix: str | None = None,
        map_location: str | None = None,
    ) -> None:
        del map_location
        self.checkpoint = checkpoint
        self.prefix = f'{prefix}.' if prefix else ''

    def _read(self) -> dict[str, Tensor]:
        state = {
            name.removeprefix(self.prefix): tensor
            for name, tensor in read_checkpoint(self.checkpoint)['state_dict'].items()
            if name.startswith(self.prefix)
        }
        if _ORIGINAL_SWIN not in state:
            return state
        inside = {f'backbone.body.{name}': tensor for name, tensor in state.items()}
        return {
            name.removeprefix('backbone.'): tensor
            for name, tensor in to_mmdet(inside).items()
        }

    def __call__(self, module: nn.Module) -> None:
        state, current = self._read(), module.state_dict()
        # Integers are counters and indices, which a module makes itself.
        learned = [n for n, tensor in current.items() if tensor.is_floating_point()]
        missing = [n for n in learned if n not in state]
        both = [name for name in current if name in state]
        reshaped = [n for n in both if state[n].shape != current[n].shape]
        if reshaped or len(missing) > len(learned) / 10:
            raise CheckpointError(
                f'{self.checkpoint} does not fit {type(module).__name__}: of '
                f'{len(learned)} parameters {len(missing)} are missing and '
                f'{len(reshaped)} of another shape, the first is '
                f'{(reshaped + missing)[0]}'
            )
        module.load_state_dict({n: state.get(n, current[n]) for n in current})
        fresh = f'; new: {", ".join(missing)}' if missing else ''
        print_log(
            f'{type(module).__name__} starts from {self.checkpoint}{fresh}', 'current'
        )


def skip_pretrained(model: nn.Module) -> None:
    """Tell every part not to look for pretrained weights: a checkpoint follows."""
    module: Any  # attributes that torch's type of modules does not know
    for module in model.modules():
        if hasattr(module, 'skip_pretrained'):
            module.skip_pretrained = True
        init_cfg = getattr(module, 'init_cfg', None)
        if isinstance(init_cfg, dict) and is_pretrained(init_cfg):
            module.init_cfg = None
        elif isinstance(init_cfg, list):
            module.init_cfg = [cfg for cfg in init_cfg if not is_pretrained(cfg)]
