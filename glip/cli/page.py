"""``glip page``: the model in the browser."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from glip.cli.detect import Device, Model, Weights
from glip.errors import GLIPError

Text = Annotated[
    str, typer.Option('--text', '--texts', '-t', help='with --folder: what to find')
]


def page(
    folder: Annotated[
        Path | None, typer.Option(help='pictures whose boxes are corrected')
    ] = None,
    text: Text = '',
    out: Annotated[
        Path | None,
        typer.Option(help='with --folder: COCO file [FOLDER/annotations.json]'),
    ] = None,
    model: Model = 'glip-nano',
    weights: Weights = None,
    device: Device = None,
    host: Annotated[str, typer.Option(help='address to listen on')] = '127.0.0.1',
    port: Annotated[int, typer.Option(help='on that address', min=1, max=65535)] = 7860,
) -> None:
    """Find things in the browser, or go through a folder and correct its boxes."""
    if folder is None and (text or out):
        raise GLIPError('--text and --out go with --folder')
    from glip.page.app import serving
    from glip.page.folder_session import FolderSession, one_page
    from glip.runtime.extra import require
    from glip.runtime.sockets import bound_socket

    require('gradio', 'page')
    bound_socket(host, port).close()  # before a model is loaded
    path = None if folder is None else out or folder / 'annotations.json'
    with nullcontext() if path is None else one_page(path):
        import glip.apis
        from glip.page.kept import KeptDetections

        kept = KeptDetections(glip.apis.load(model, weights, device))
        session = None
        if folder is not None and path is not None:
            threshold = kept.detector.default_threshold
            session = FolderSession(folder, path, kept, text, threshold)
        with serving(kept, session, host=host, port=port) as address:
            # So that what was uploaded is removed in either case.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            typer.echo(f'page: {address} (Ctrl-C ends it)')
            # A custom component of gradio prints what is asked of it.
            with open(os.devnull, 'w') as nothing, redirect_stdout(nothing):
                threading.Event().wait()
