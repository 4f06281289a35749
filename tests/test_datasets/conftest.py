"""Scope of the registries as in a run."""

import pytest
from mmengine.registry import DefaultScope

import glip  # noqa: F401


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('glip'):
        yield
