"""``glip check``: what is installed, and what is missing."""

from __future__ import annotations

import importlib
import platform
from importlib import metadata

import typer

from glip.errors import one_line

_NEEDED = ('torch', 'torchvision', 'transformers', 'mmengine', 'mmcv', 'mmdet')
# What it is for, by the extra that brings it.
_OPTIONAL = {
    'av': ('video', 'videos, streams and cameras'),
    'supervision': ('formats', 'to_supervision(), --slice'),
    'pandas': ('formats', 'to_pandas()'),
    'onnxruntime': ('onnx', 'detecting with ONNX files'),
    'gradio': ('page', 'glip page'),
    'onnxscript': ('onnx', 'glip export'),
    'fastapi': ('serve', 'glip serve'),
    'spacy': ('nlp', 'noun phrases of captions by spaCy'),
    'webdataset': ('stream', 'training on tar shards'),
}


def check() -> int:
    """Print versions, device and cache, and which optional packages are missing."""
    from glip.checkpoints.download import cache_dir
    from glip.version import __version__

    typer.echo(f'glip {__version__}, Python {platform.python_version()}')
    missing = []
    for name in _NEEDED:
        try:
            version = getattr(importlib.import_module(name), '__version__', 'unknown')
        except Exception as error:  # noqa: BLE001 (a broken package raises anything)
            version = f'cannot be imported ({one_line(error)})'
            missing.append(name)
        typer.echo(f'  {name}: {version}')
    if 'torch' not in missing:
        typer.echo(f'device: {_device()}')
    typer.echo(f'cache of downloaded weights: {cache_dir()}')
    for name, (extra, purpose) in _OPTIONAL.items():
        try:
            typer.echo(f'optional {name}: {metadata.version(name)} ({purpose})')
        except metadata.PackageNotFoundError:
            typer.echo(
                f"optional {name}: missing, for {purpose}: pip install 'glip[{extra}]'"
            )
    return 1 if missing else 0


def _device() -> str:
    """What models run on by default."""
    import torch

    if torch.cuda.is_available():
        return f'cuda ({torch.cuda.get_device_name()})'
    capability = torch.backends.cpu.get_cpu_capability()
    return f'cpu ({capability}, {torch.get_num_threads()} threads)'
