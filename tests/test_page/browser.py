"""A browser of this machine, driven by playwright."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_NAMES = ('chromium', 'chromium-browser', 'google-chrome')
# No window, no updates, nothing of an account; sandboxes need rights that root lacks.
_FLAGS = (
    *('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic'),
    *('--no-first-run', '--disable-background-networking', '--disable-sync'),
    '--disable-component-update',
)


@contextmanager
def browsing() -> Iterator[Any]:
    """Open a page of an empty profile; skips the test where there is no browser."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip('no Chromium on this machine')
    playwright = pytest.importorskip('playwright.sync_api')
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(_FLAGS))
        page = browser.new_page(viewport={'width': 1280, 'height': 900})
        page.set_default_timeout(60_000)
        try:
            yield page
        finally:
            browser.close()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return server.getsockname()[1]
