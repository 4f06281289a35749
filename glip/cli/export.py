"""``glip export``: a model as a file for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glip.cli.detect import Weights, Words, parse_words
from glip.errors import ConfigError


def export(
    model: Annotated[str, typer.Argument(help='zoo name or config file')],
    out: Annotated[Path, typer.Option(help='file to write [MODEL.onnx]')] = Path(),
    weights: Weights = None,
    text: Words = None,
    no_nms: Annotated[
        bool, typer.Option('--no-nms', help='with --text: all candidates come out')
    ] = False,
    kind: Annotated[str, typer.Option('--format', help='onnx')] = 'onnx',
    opset: Annotated[int, typer.Option(help='of ONNX', min=18)] = 20,
    precision: Annotated[
        str, typer.Option(help='of the stored weights: fp32, fp16, int8')
    ] = 'fp32',
) -> None:
    """Write a model as ONNX, its words as an input or, with --text, in the graph."""
    if kind != 'onnx':
        raise ConfigError(f'--format {kind}: only onnx is known')
    import glip.apis
    from glip.export import export_onnx

    prompt = None if text is None else parse_words(text)
    if out == Path():
        out = Path(f'{Path(model).stem}.onnx')
    detector = glip.apis.load(model, weights, 'cpu')
    files = export_onnx(
        detector.model,
        detector.cfg,
        out,
        prompt=prompt,
        with_nms=not no_nms,
        opset=opset,
        precision=precision,
    )
    for file in files:
        typer.echo(f'{file}: {file.stat().st_size / 1e6:.1f} MB')
