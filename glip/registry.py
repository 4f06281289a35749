"""Registries of scope ``glip``, children of mmengine's roots.

An unscoped name means our class, else mmengine's or mmdet's, so a config written
for mmdet carries over by ``default_scope = 'glip'``.
"""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import EVALUATOR as MMENGINE_EVALUATOR
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOG_PROCESSORS as MMENGINE_LOG_PROCESSORS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODEL_WRAPPERS as MMENGINE_MODEL_WRAPPERS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import (
    OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
)
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import OPTIMIZERS as MMENGINE_OPTIMIZERS
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE_PARAM_SCHEDULERS
from mmengine.registry import RUNNER_CONSTRUCTORS as MMENGINE_RUNNER_CONSTRUCTORS
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS
from mmengine.registry import TASK_UTILS as MMENGINE_TASK_UTILS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISBACKENDS as MMENGINE_VISBACKENDS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import WEIGHT_INITIALIZERS as MMENGINE_WEIGHT_INITIALIZERS
from mmengine.registry import DefaultScope, build_from_cfg, build_model_from_cfg
from mmengine.registry import Registry as _Registry
from mmengine.registry import init_default_scope as _init_default_scope


class Registry(_Registry):
    """mmengine's registry that knows mmdet's classes by their unscoped names.

    Ours come first. For transforms and data sets mmdet's are next, as under mmdet's
    own scope: mmengine and mmcv register others of the same names (``LoadAnnotations``,
    ``Resize``, ``ConcatDataset``). For all else mmdet is the last resort, as importing
    it takes seconds.
    """

    _MMDET_BEFORE_ROOT = ('transform', 'dataset')

    def get(self, key: str) -> type | None:
        """Class registered as ``key``, or None."""
        scope, name = self.split_scope_key(key)
        if scope is not None or '.' in name:
            return super().get(key)
        for location in self._locations:  # the next one only if it is needed
            import_module(location)
            if name in self.module_dict:
                return self.module_dict[name]
        if self.name in self._MMDET_BEFORE_ROOT:
            return self._mmdet(name)
        found = super().get(name)
        return found if found is not None else self._mmdet(name)

    @contextmanager
    def switch_scope_and_registry(self, scope: str | None) -> Iterator[_Registry]:
        """The registry that a config without a scope is built from: this one.

        mmengine's would take that of the default scope, which a client of mmdet sets to
        ``'mmdet'``: the parts of our models would be mmdet's. ``'mmdet'`` is what
        mmengine writes into all that a config inherits of mmdet's.
        """
        if self.name != 'runner' and scope in (None, 'mmdet'):
            current = DefaultScope.get_current_instance()
            in_ours = current is not None and current.scope_name == 'glip'
            scope = None if in_ours else 'glip'  # as threads share the default scope
        with super().switch_scope_and_registry(scope) as registry:
            yield registry

    def _mmdet(self, name: str) -> type | None:
        # mmengine imports the registries of a scope that is named, then looks there.
        return super().get(f'mmdet.{name}')


def _build_model(cfg: Any, registry: _Registry, default_args: Any = None) -> Any:
    """As mmengine's, which imports all that trains for the sake of lists."""
    build = build_model_from_cfg if isinstance(cfg, list) else build_from_cfg
    return build(cfg, registry, default_args)


def _child(parent: _Registry, *locations: str, build_func: Any = None) -> Registry:
    return Registry(
        parent.name, build_func, parent, scope='glip', locations=list(locations)
    )


MODELS = _child(
    MMENGINE_MODELS,
    'glip.models',
    'glip.models.detectors.tta',
    build_func=_build_model,
)
TASK_UTILS = _child(MMENGINE_TASK_UTILS, 'glip.models')
DATASETS = _child(MMENGINE_DATASETS, 'glip.datasets')
DATA_SAMPLERS = _child(MMENGINE_DATA_SAMPLERS, 'glip.datasets')
TRANSFORMS = _child(MMENGINE_TRANSFORMS, 'glip.transforms', 'glip.transforms.training')
METRICS = _child(MMENGINE_METRICS, 'glip.evaluation', 'glip.report.plots')
EVALUATOR = _child(MMENGINE_EVALUATOR, 'glip.evaluation')
RUNNERS = _child(MMENGINE_RUNNERS, 'glip.engine')
RUNNER_CONSTRUCTORS = _child(MMENGINE_RUNNER_CONSTRUCTORS, 'glip.engine')
LOOPS = _child(MMENGINE_LOOPS, 'glip.engine')
HOOKS = _child(MMENGINE_HOOKS, 'glip.engine')
MODEL_WRAPPERS = _child(MMENGINE_MODEL_WRAPPERS, 'glip.engine')
WEIGHT_INITIALIZERS = _child(
    MMENGINE_WEIGHT_INITIALIZERS, 'glip.checkpoints.pretrained'
)
OPTIMIZERS = _child(MMENGINE_OPTIMIZERS, 'glip.engine')
OPTIM_WRAPPERS = _child(MMENGINE_OPTIM_WRAPPERS, 'glip.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS, 'glip.engine')
PARAM_SCHEDULERS = _child(MMENGINE_PARAM_SCHEDULERS, 'glip.engine')
VISUALIZERS = _child(MMENGINE_VISUALIZERS, 'glip.engine')
VISBACKENDS = _child(MMENGINE_VISBACKENDS, 'glip.engine')
LOG_PROCESSORS = _child(MMENGINE_LOG_PROCESSORS, 'glip.engine')


def build_light(cfg: Mapping[str, Any], registry: Registry, light: type) -> Any:
    """Build a light class of ours in place of mmdet's of the same name.

    ``light`` computes what mmdet's class, whose import takes seconds, does for the
    fields that it takes. A config with other fields, of another type, or of a class
    that was registered under this name builds what the registry says.

    Args:
        cfg: ``type`` and fields.
        registry: Where all other types are looked for.
        light: Class with the name of mmdet's.
    """
    fields = {key: value for key, value in cfg.items() if key != 'type'}
    if (
        cfg.get('type') == light.__name__
        and light.__name__ not in registry.module_dict
        and fields.keys() <= inspect.signature(light).parameters.keys()
    ):
        return light(**fields)
    return registry.build(cfg)


def leave_scope(config: Any, scope: str = 'mmdet') -> None:
    """Take out the scope that mmengine wrote into what a config inherits.

    Of ``_base_ = 'mmdet::...'`` every part is marked to be built of mmdet's classes,
    whatever ``default_scope`` says.

    Args:
        config: A config or a part of one, changed in place.
        scope: Which.
    """
    if isinstance(config, (list, tuple)):
        for part in config:
            leave_scope(part, scope)
    elif isinstance(config, (Mapping, Config)):
        if config.get('_scope_') == scope:
            config.pop('_scope_')
        for part in config.values():
            leave_scope(part, scope)


def register_all_modules(init_default_scope: bool = True) -> None:
    """Make every type known (the function mmdet has as well).

    Rarely needed: a registry imports its classes when it is first asked for one.

    Args:
        init_default_scope: Also make ``glip`` the default scope, so that unscoped
            types in a config mean ours.
    """
    for registry in list(globals().values()):
        if isinstance(registry, Registry):
            registry.import_from_location()
    if init_default_scope:
        _init_default_scope('glip')
