"""Start a part of the model from the weights of somebody else's file."""

from mmengine.logging import print_log
from torch import nn

from glip.checkpoints import read_checkpoint
from glip.errors import CheckpointError
from glip.registry import WEIGHT_INITIALIZERS


@WEIGHT_INITIALIZERS.register_module()
class Pretrained:
    """``init_cfg=dict(type='Pretrained', checkpoint=...)`` without running the file.

    Every parameter of the module must be in the file with its shape; what else the
    file holds, a classifier for instance, is left out.

    Args:
        checkpoint: Path of the weights.
        prefix: Leading part of the keys that belong to the module.
        map_location: Accepted for mmengine's configs; parameters stay where they are.

    Raises:
        CheckpointError: If parameters are missing or have other shapes.
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

    def __call__(self, module: nn.Module) -> None:
        state = read_checkpoint(self.checkpoint)['state_dict']
        own = module.state_dict()
        wrong = [
            key
            for key, value in own.items()
            if self.prefix + key not in state
            or state[self.prefix + key].shape != value.shape
        ]
        if wrong:
            raise CheckpointError(
                f'{self.checkpoint} does not fit {type(module).__name__}: '
                f'{len(wrong)} of {len(own)} parameters are missing or of another '
                f'shape, the first is {wrong[0]}'
            )
        module.load_state_dict({key: state[self.prefix + key] for key in own})
        print_log(f'{type(module).__name__} starts from {self.checkpoint}', 'current')
