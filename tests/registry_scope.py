"""Scope of the registries as in a run."""

import pytest
from mmengine.registry import DefaultScope

import glip  # noqa: F401


@pytest.fixture(autouse=True)
def scope():
    """Unscoped types mean ours, whatever an earlier test left."""
    with DefaultScope.overwrite_default_scope('glip'):
        yield
