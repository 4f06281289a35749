"""glip's classes and weights for clients of mmdet and mmengine that know nothing of it.

Done once mmdet's registries and mmengine's loader of checkpoints are there, by ``import
glip``, whether that stands in a script or in the ``custom_imports`` of a config.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import mmdet.registry as mmdet_registry
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import DefaultScope
from mmengine.registry import Registry as _MMEngineRegistry

from glip import registry
from glip.registry import Registry

# Names both have that mean ours under mmdet's scope: mmdet's own GLIP asks for parts
# of transformers that are gone, and its packing loses the prompt unless told.
_OURS_FIRST = {'model': {'GLIP'}, 'transform': {'PackDetInputs'}}
# Names of the zoo, and a format that mmengine does not read.
_OUR_WEIGHTS = (r'(?i)glip-[\w.-]+$', r'(?i).+\.safetensors$')


def share_registries() -> None:
    """Let mmdet's registries give our classes for names that mmdet has not got.

    Under mmdet's scope, which ``DetInferencer`` sets, ``GLIP`` and ``PackDetInputs``
    are ours as well; ``mmdet.GLIP`` stays mmdet's.
    """
    for name, ours in vars(registry).items():
        theirs = getattr(mmdet_registry, name, None)
        if not isinstance(ours, Registry) or not isinstance(theirs, _MMEngineRegistry):
            continue
        if 'get' not in vars(theirs):
            vars(theirs)['get'] = partial(_get, theirs.get, ours)


def _get(theirs: Callable[[str], type | None], ours: Registry, key: str) -> type | None:
    """The class that mmdet's registry knows as ``key``, or else ours."""
    scope, name = ours.split_scope_key(key)
    if scope is None and name in _OURS_FIRST.get(ours.name, ()):
        current = DefaultScope.get_current_instance()
        if current is not None and current.scope_name == 'mmdet':
            return ours.get(name)
    found = theirs(key)
    if found is not None or scope is not None:
        return found
    ours.import_from_location()
    return ours.module_dict.get(name)


def share_kernels() -> None:
    """Let models of ours compute with our kernels for the CPU, whoever builds them."""
    for registry_of_models in (MMENGINE_MODELS, mmdet_registry.MODELS):
        if 'build' not in vars(registry_of_models):
            build = partial(_build, registry_of_models.build)
            vars(registry_of_models)['build'] = build


def _build(theirs: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The model that a registry builds; if it is ours, with our kernels in it."""
    model = theirs(*args, **kwargs)
    if type(model).__module__.startswith('glip.'):
        import_module('glip.models.cpu').use_cpu_kernels(model)
    return model


def share_weights() -> None:
    """Let mmengine load names of the zoo and ``.safetensors`` as ``glip.load`` does."""
    loader = import_module('mmengine.runner.checkpoint').CheckpointLoader
    loader.register_scheme(
        prefixes=list(_OUR_WEIGHTS), loader=_load_from_glip, force=True
    )


def _load_from_glip(filename: str, map_location: Any = None) -> dict[str, Any]:
    """A loader as mmengine calls it; what is read lies on the CPU."""
    return import_module('glip.checkpoints').read_checkpoint(filename)


share_registries()
share_kernels()
