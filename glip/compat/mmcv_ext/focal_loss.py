"""Focal loss (arXiv 1708.02002) with class indices as targets.

torchvision's takes a 0/1 target per logit and has no softmax form, so both are written
out. A row whose target is no class (the number of classes) is background.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .common import gradients


def sigmoid_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Loss of every logit.

    Args:
        input: Logits, shape (N, C).
        target: Class of each row, 0..C, shape (N,).
        weight: Weight of each row's target class, shape (C,), or (0,) for none.
        output: Receives the losses, shape (N, C).
        gamma: Exponent that lowers the loss of easy rows.
        alpha: Weight of positives; negatives have ``1 - alpha``.
    """
    output.copy_(_sigmoid_loss(input, target, weight, gamma, alpha))


def sigmoid_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write the gradient of the sum of all losses."""

    def loss(input: Tensor) -> Tensor:
        return _sigmoid_loss(input, target, weight, gamma, alpha)

    grad_input.copy_(gradients(loss, [input], torch.ones_like(input))[0])


def softmax_focal_loss_forward(
    softmax: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Loss of every row.

    Args:
        softmax: Class probabilities, shape (N, C).
        target: Class of each row; a negative one has no loss; shape (N,).
        weight: Weight of each class, shape (C,), or (0,) for none.
        output: Receives the losses, shape (N,).
        gamma: Exponent that lowers the loss of easy rows.
        alpha: Weight of all rows.
    """
    output.copy_(_softmax_loss(_log(softmax), target, weight, gamma, alpha))


def softmax_focal_loss_backward(
    softmax: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write the gradient of the summed losses by the logits; ``buff`` is scratch."""

    def loss(logits: Tensor) -> Tensor:
        return _softmax_loss(logits.log_softmax(1), target, weight, gamma, alpha)

    # Logarithms of probabilities are logits that have these probabilities.
    grad_input.copy_(gradients(loss, [_log(softmax)], torch.ones_like(buff))[0])


def _sigmoid_loss(
    logits: Tensor, target: Tensor, weight: Tensor, gamma: float, alpha: float
) -> Tensor:
    classes = torch.arange(logits.shape[1], device=logits.device)
    positive = target[:, None] == classes
    signed = torch.where(positive, logits, -logits)  # large where the logit is right
    balance = torch.where(positive, alpha, 1 - alpha).to(logits)
    # A power of the sigmoid, whose gradient stays finite where it underflows.
    easy = torch.exp(gamma * F.logsigmoid(-signed))
    loss = -balance * easy * F.logsigmoid(signed)
    return loss * _row_weight(target, weight)[:, None] if len(weight) else loss


def _softmax_loss(
    log_probability: Tensor, target: Tensor, weight: Tensor, gamma: float, alpha: float
) -> Tensor:
    chosen = log_probability.gather(1, target.clamp(min=0)[:, None])[:, 0]
    loss = -alpha * (1 - chosen.exp()) ** gamma * chosen
    if len(weight):
        loss = loss * _row_weight(target, weight)
    return torch.where(target >= 0, loss, 0.0)


def _log(probability: Tensor) -> Tensor:
    return probability.clamp(min=torch.finfo(probability.dtype).tiny).log()


def _row_weight(target: Tensor, weight: Tensor) -> Tensor:
    """Weight of each row's class; 1 for background, which has none. Shape (N,)."""
    inside = (target >= 0) & (target < len(weight))
    return torch.where(inside, weight[target.clamp(0, len(weight) - 1)], 1.0)
