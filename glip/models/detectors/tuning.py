"""Which parameters of a GLIP train: the tuning modes of the original.

Source: microsoft/GLIP, ``SOLVER.TUNING_HIGHLEVEL_OVERRIDE`` (full, linear_prob,
language_prompt_v1 and language_prompt_v2).
"""

from __future__ import annotations

from torch import nn

from glip.errors import ConfigError

# What the names of the trained parameters begin with.
_HEAD = 'bbox_head.head.'
_TUNED: dict[str, tuple[str, ...]] = {
    'full': ('',),
    'linear_probe': tuple(
        _HEAD + part
        for part in (
            *('bbox_pred.', 'centerness.', 'dot_product_projection_text.'),
            *('log_scale', 'bias_lang', 'bias0'),
        )
    ),
    'prompt': ('language_prompt.',),
    'language': ('language_model.',),
}
TUNING_MODES = tuple(_TUNED)


def check_tuning(mode: object) -> str:
    """The mode.

    Raises:
        ConfigError: There is none of this name.
    """
    if not isinstance(mode, str) or mode not in _TUNED:
        raise ConfigError(f'tuning is one of {", ".join(TUNING_MODES)}, not {mode!r}')
    return mode


def is_tuned(name: str, mode: str) -> bool:
    """Whether a mode trains the parameter of this name."""
    return name.startswith(_TUNED[mode])


def freeze_others(model: nn.Module, mode: str) -> None:
    """Let only what a mode trains have gradients; what is frozen stays so.

    Raises:
        ConfigError: There is no such mode, or nothing is left to train.
    """
    check_tuning(mode)
    for name, parameter in model.named_parameters():
        if not is_tuned(name, mode):
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(
            f'tuning={mode!r} leaves nothing to train: frozen=True of the config '
            'freezes that'
        )


def rest_frozen(model: nn.Module, mode: str) -> None:
    """Put all parts that a mode does not train into evaluation mode.

    No dropout, stochastic depth or DropBlock acts in them, and no statistics move.

    Args:
        model: In training mode, and stays so itself.
        mode: The mode.
    """
    if mode == 'full':
        return
    for child in model.children():
        child.eval()
    for name, part in model.named_modules():
        if name and is_tuned(f'{name}.', mode):
            part.train()
