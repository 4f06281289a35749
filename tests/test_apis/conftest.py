"""The stand-in detector, on disk and in memory."""

from __future__ import annotations

import pytest
from standin import write_standin

from glip.apis import Detector, load


@pytest.fixture
def standin_files(tmp_path) -> tuple[str, str]:
    """Config and checkpoint of the stand-in model."""
    return write_standin(tmp_path)


@pytest.fixture
def detector(standin_files) -> Detector:
    """The stand-in, loaded as any model is."""
    return load(*standin_files, device='cpu')
