"""The page as a whole, and its server."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glip.errors import ConfigError
from glip.page.folder_session import FolderSession
from glip.page.kept import KeptDetections
from glip.paths import demo_root
from glip.runtime.extra import require
from glip.runtime.sockets import bound_socket

_UPLOAD = '200mb'  # of one file; pictures of more pixels than Pillow opens are refused
_BROWSERS = 64  # whose last picture and words are kept
_CLEANED = (600, 3600)  # seconds between looks for old files, and their age
_CSS = """
#canvas button[aria-label^="Rotate"] {display: none}
footer {display: none !important}
"""


@contextmanager
def serving(
    kept: KeptDetections,
    session: FolderSession | None = None,
    *,
    host: str = '127.0.0.1',
    port: int = 7860,
) -> Iterator[str]:
    """Serve the page while the block runs; uploads are gone afterwards.

    Args:
        kept: Finds boxes.
        session: Work on a folder; None for none.
        host: Address to listen on.
        port: On that address.

    Yields:
        The page's address.

    Raises:
        GLIPError: gradio is not installed, or the port cannot be listened on.
    """
    bound_socket(host, port).close()
    gradio = require('gradio', 'page')
    _reach_directly('127.0.0.1', 'localhost', host)
    with tempfile.TemporaryDirectory(prefix='glip-page-') as name:
        folder = Path(name)
        os.environ['GRADIO_TEMP_DIR'] = str(folder / 'uploads')
        files = folder / 'files'
        files.mkdir()
        blocks = build_page(kept, session, files)
        try:
            _, address, _ = blocks.launch(
                server_name=host,
                server_port=port,
                share=False,
                quiet=True,
                prevent_thread_lock=True,
                ssr_mode=False,
                run_history=False,
                enable_monitoring=False,
                footer_links=[],
                state_session_capacity=_BROWSERS,
                max_file_size=_UPLOAD,
                allowed_paths=[str(files), str(demo_root())],
                # The usual theme asks fonts.googleapis.com for letters.
                theme=gradio.themes.Default(
                    font=['ui-sans-serif', 'system-ui', 'sans-serif'],
                    font_mono=['ui-monospace', 'monospace'],
                ),
                css=_CSS,
            )
        except OSError as error:
            raise ConfigError(
                f'cannot listen on {host}:{port} ({error}); name another --port'
            ) from error
        try:
            yield address
        finally:
            blocks.close(verbose=False)


def build_page(
    kept: KeptDetections, session: FolderSession | None, files: Path
) -> object:
    """Lay out the page.

    Args:
        kept: Finds boxes.
        session: Work on a folder; None for none.
        files: Folder for files that are shown.

    Returns:
        ``gradio.Blocks``.
    """
    gradio = require('gradio', 'page')
    # Import gradio, hence late.
    from glip.page.correcting import add_correcting
    from glip.page.finding import add_finding

    with gradio.Blocks(
        title='glip', analytics_enabled=False, delete_cache=_CLEANED
    ) as blocks:
        gradio.Markdown('## glip: words in, boxes out')
        if session is None:
            add_finding(kept, files)
        else:
            with gradio.Tab('Folder'):
                add_correcting(blocks, session, files)
            with gradio.Tab('One picture'):
                add_finding(kept, files)
    return blocks


def _reach_directly(*hosts: str) -> None:
    """Keep gradio, which asks its own server whether it runs, from asking a proxy."""
    for variable in ('no_proxy', 'NO_PROXY'):
        listed = [os.environ.get(variable), *hosts]
        os.environ[variable] = ','.join(filter(None, listed))
