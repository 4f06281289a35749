"""Applications around small models, and clients that ask them."""

from __future__ import annotations

import importlib.util

import pytest
from tiny_model import tiny_detector

if importlib.util.find_spec('fastapi') is None:
    collect_ignore_glob = ['test_*.py']


@pytest.fixture(scope='session')
def tiny():
    """A GLIP with random weights, of which every box passes."""
    return tiny_detector()


@pytest.fixture
def colours():
    """A stand-in that finds colours by name, so that boxes are known."""
    from standin import make_config

    from glip.apis import Detector, build_model

    cfg = make_config()
    return Detector(build_model(cfg).eval(), cfg)


@pytest.fixture
def client_of():
    """Make a client of an application; arguments are those of ``create_app``."""
    from starlette.testclient import TestClient

    from glip.serve.app import create_app

    clients = []

    def make(detector, **options):
        app = create_app(detector, **options)
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(client_of, colours):
    """A client of the stand-in, with the usual limits."""
    return client_of(colours)
