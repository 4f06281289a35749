"""``glip serve``: detections over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from glip.cli.detect import Device, Model, Weights, Words, parse_words
from glip.errors import GLIPError

# What the extra installs, by the names that are imported.
_NEEDED = ('fastapi', 'uvicorn', 'python_multipart', 'prometheus_client', 'httpcore')
_LONGEST_WINDOW = 10_000  # milliseconds
_LOCAL = ('127.0.0.1', 'localhost', '::1')


def serve(
    model: Model = 'glip-nano',
    weights: Weights = None,
    device: Device = None,
    tuned: Annotated[
        str | None, typer.Option('--prompt', help='file of a tuned prompt')
    ] = None,
    text: Words = None,
    amp: Annotated[bool, typer.Option('--amp', help='half precision')] = False,
    host: Annotated[str, typer.Option(help='0.0.0.0 for all networks')] = '127.0.0.1',
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    name: Annotated[
        str | None, typer.Option(help="what clients call the model [the model's name]")
    ] = None,
    batch_size: Annotated[
        int, typer.Option(help='pictures that go through together', min=1)
    ] = 8,
    window: Annotated[
        float, typer.Option(help='milliseconds to gather a batch in')
    ] = 5.0,
    max_body: Annotated[float, typer.Option(help='MiB of a request')] = 32.0,
    max_memory: Annotated[float, typer.Option(help='MiB of all requests')] = 512.0,
    max_pixels: Annotated[
        float, typer.Option(help='millions of pixels of a picture')
    ] = 50.0,
    max_pictures: Annotated[int, typer.Option(help='of a request')] = 16,
    max_classes: Annotated[int, typer.Option(help='names of a request')] = 200,
    max_characters: Annotated[int, typer.Option(help='of the words')] = 4000,
    queue: Annotated[int, typer.Option(help='pictures that may wait')] = 64,
    timeout: Annotated[
        float, typer.Option(help='seconds to arrive in, and to be answered in')
    ] = 60.0,
    allow_urls: Annotated[
        bool, typer.Option('--allow-urls', help='fetch pictures from public addresses')
    ] = False,
    label_studio: Annotated[
        str | None,
        typer.Option(
            metavar='ADDRESS',
            help='fetch pictures of this Label Studio, with LABEL_STUDIO_API_KEY',
        ),
    ] = None,
) -> None:
    """Answer requests over HTTP; GLIP_API_KEY in the environment is asked for."""
    from glip.runtime.extra import require

    for module in _NEEDED:
        require(module, 'serve')
    from glip.runtime.sockets import bound_socket
    from glip.serve.addresses import Fetcher
    from glip.serve.limits import Limits
    from glip.serve.run import KEY, read_key
    from glip.serve.run import serve as run_server

    if not 0 <= window <= _LONGEST_WINDOW:  # written so that NaN fails
        raise GLIPError(f'--window must be 0 to {_LONGEST_WINDOW} ms, not {window}')
    key = read_key()
    limits = Limits(
        body=max_body * 2**20,
        memory=max_memory * 2**20,
        pixels=max_pixels * 1e6,
        pictures=max_pictures,
        classes=max_classes,
        characters=max_characters,
        queue=queue,
        seconds=timeout,
    )
    fetcher = Fetcher(
        allow_urls=allow_urls,
        label_studio=label_studio,
        token=os.environ.get('LABEL_STUDIO_API_KEY'),
    )
    prompt = None if text is None else parse_words(text)
    server = bound_socket(host, port)
    with server:
        import glip.apis
        from glip.serve.app import create_app

        detector = glip.apis.load(model, weights, device, amp=amp, prompt=tuned)
        app = create_app(
            detector,
            model=name or Path(model).stem,
            prompt=prompt,
            limits=limits,
            batch_size=batch_size,
            window=window / 1000,
            fetcher=fetcher,
            key=key,
        )
        if key is None and host not in _LOCAL:
            typer.echo(
                f'warning: anyone who reaches {host} is answered; {KEY} sets a key',
                err=True,
            )
        port = server.getsockname()[1]
        shown = f'[{host}]' if ':' in host else host
        typer.echo(f'{name or model} answers at http://{shown}:{port}', err=True)
        run_server(app, server, seconds=limits.seconds)
