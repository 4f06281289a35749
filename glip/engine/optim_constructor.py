"""Parameter groups of the original: words, biases and norms on terms of their own."""

from collections import OrderedDict
from collections.abc import Iterator

from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from glip.errors import ConfigError
from glip.registry import OPTIM_WRAPPER_CONSTRUCTORS
from glip.runtime.processes import unwrapped

_RULES = (
    'custom_keys',
    'bias_lr_mult',
    'bias_decay_mult',
    'norm_decay_mult',
    'bypass_duplicate',
)
_NORMS = (_BatchNorm, _InstanceNorm, nn.GroupNorm, nn.LayerNorm)
# Names that wrappers (activation checkpointing, torch.compile) put in between.
_WRAPPERS = ('_checkpoint_wrapped_module.', '_orig_mod.')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GLIPOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Optimizer groups by rules that multiply (microsoft/GLIP, solver/build.py).

    mmengine's own constructor applies either a custom key or the rules, and takes only
    parameters called ``bias`` for biases. Here both apply, so that the biases of the
    language model have a tenth of twice the rate, and a bias is whatever has ``bias``
    anywhere in its name: ``relative_position_bias_table``, ``bias_lang`` and ``bias0``
    too. Parameters with the same terms share a group, named after them in the log.

    ``paramwise_cfg`` takes

    * ``custom_keys``: ``{part of a name: dict(lr_mult=..., decay_mult=...)}``, of
      which the longest that matches counts;
    * ``bias_lr_mult`` and ``bias_decay_mult``, on top of that, for biases;
    * ``norm_decay_mult``, on top of that, for what norm layers hold.

    Args:
        optim_wrapper_cfg: As mmengine's.
        paramwise_cfg: See above.

    Raises:
        ConfigError: A rule that is not one of these.
    """

    def __init__(
        self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None
    ) -> None:
        super().__init__(optim_wrapper_cfg, paramwise_cfg)
        unknown = [rule for rule in self.paramwise_cfg if rule not in _RULES]
        if unknown:
            raise ConfigError(
                f'paramwise_cfg: {", ".join(unknown)} is not known to '
                f'{type(self).__name__}, which takes {", ".join(_RULES[:-1])}'
            )

    def add_params(
        self,
        params: list[dict],
        module: nn.Module,
        prefix: str = '',
        is_dcn_module: int | float | None = None,
    ) -> None:
        """Sort the parameters of a model that train into groups.

        Args:
            params: The groups, extended in place.
            module: The model.
            prefix: What precedes its parameters' names.
            is_dcn_module: Not used.
        """
        if not prefix:
            module = unwrapped(module)
        groups: OrderedDict[tuple, dict] = OrderedDict()
        for name, param, in_norm in _trained(module):
            kind, lr_mult, decay_mult = self._terms(f'{prefix}{name}', in_norm)
            key = (lr_mult, decay_mult)
            if key not in groups:
                groups[key] = dict(params=[], name=kind)
                if self.base_lr is not None:
                    groups[key]['lr'] = self.base_lr * lr_mult
                if self.base_wd is not None:
                    groups[key]['weight_decay'] = self.base_wd * decay_mult
            groups[key]['params'].append(param)
        for group in groups.values():
            print_log(
                f'optimizer group {group["name"]}: {len(group["params"])} tensors, '
                f'lr {group.get("lr")}, weight decay {group.get("weight_decay")}',
                logger='current',
            )
        params.extend(groups.values())

    def _terms(self, name: str, in_norm: bool) -> tuple[str, float, float]:
        """What a group with this parameter is called, and its two factors."""
        rules = self.paramwise_cfg
        keys = rules.get('custom_keys', {})
        key = max((k for k in keys if k in name), key=len, default=None)
        factors = keys[key] if key is not None else {}
        is_bias = 'bias' in name
        bias_lr = rules.get('bias_lr_mult', 1.0) if is_bias else 1.0
        bias_decay = rules.get('bias_decay_mult', 1.0) if is_bias else 1.0
        norm_decay = rules.get('norm_decay_mult', 1.0) if in_norm else 1.0
        kinds = [key] if key else []
        if (bias_lr, bias_decay) != (1.0, 1.0):
            kinds.append('bias')
        elif norm_decay != 1.0:
            kinds.append('norm')
        return (
            '_'.join(kinds) or 'base',
            factors.get('lr_mult', 1.0) * bias_lr,
            factors.get('decay_mult', 1.0) * bias_decay * norm_decay,
        )


def _trained(module: nn.Module) -> Iterator[tuple[str, nn.Parameter, bool]]:
    """Name, parameter, and whether a norm layer holds it; each parameter once."""
    seen = set()
    for prefix, part in module.named_modules():
        in_norm = isinstance(part, _NORMS)
        for name, param in part.named_parameters(prefix, recurse=False):
            if not param.requires_grad or id(param) in seen:
                continue
            seen.add(id(param))
            for wrapper in _WRAPPERS:
                name = name.replace(wrapper, '')
            yield name, param, in_norm
