"""Moving small tables made on the host to the device of the model."""

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Copy a tensor of the host to ``device`` without waiting for it.

    From pageable memory the host would stand still until the device has caught up.
    """
    if torch.device(device).type == 'cuda' and tensor.device.type == 'cpu':
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
