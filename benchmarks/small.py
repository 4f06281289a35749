"""The small model in PyTorch against onnxruntime over its exported graph.

    python -m benchmarks.small --graph glip-nano.onnx [--detectors]

The graph is what ``glip export glip-nano --out glip-nano.onnx`` writes. The network
only: a picture of 320x416 and ten encoded words to raw predictions, which are compared.
With ``--detectors`` small detectors of 80 or 90 fixed classes run in turn as well, in
onnxruntime and with random weights: YOLOX-nano of mmdet and SSDlite of torchvision.
"""

import argparse
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mmdet
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn
from torchvision.models import detection

import glip
from glip.export.graphs import PictureGraph
from glip.runtime.command import command
from glip.runtime.extra import require
from glip.text import parse_text

from .speed.timing import in_turn, markdown, spread

_WORDS = 'person dog car cat bicycle chair bottle cup book tree'.split()


_SIZE = (320, 416)


class Yolox(nn.Module):
    """YOLOX-nano up to its raw predictions, of mmdet."""

    def __init__(self) -> None:
        super().__init__()
        configs = Path(mmdet.__file__).parent / '.mim' / 'configs'
        cfg = Config.fromfile(configs / 'yolox' / 'yolox_nano_8xb8-300e_coco.py')
        with DefaultScope.overwrite_default_scope('mmdet'):
            self.detector = MODELS.build(cfg.model)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Scores, boxes and objectness of each level."""
        detector = self.detector
        outs = detector.bbox_head(detector.neck(detector.backbone(image)))
        return tuple(level for kind in outs for level in kind)


class SSDlite(nn.Module):
    """SSDlite with MobileNetV3 up to its raw predictions, of torchvision."""

    def __init__(self) -> None:
        super().__init__()
        self.detector = detection.ssdlite320_mobilenet_v3_large(
            weights=None, weights_backbone=None
        )

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Boxes and scores of all positions."""
        outs = self.detector.head(list(self.detector.backbone(image).values()))
        return outs['bbox_regression'], outs['cls_logits']


def session_of(graph: Path | bytes, threads: int) -> Any:
    """An onnxruntime session that does not wait busily."""
    ort = require('onnxruntime', 'onnx')
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    graph = str(graph) if isinstance(graph, Path) else graph
    return ort.InferenceSession(graph, options)


def detectors(image: torch.Tensor, threads: int) -> dict[str, Callable[[], Any]]:
    """Calls of the small detectors of fixed classes in onnxruntime."""
    calls = {}
    for kind in (Yolox, SSDlite):
        model = kind().eval()
        count = sum(p.numel() for p in model.parameters()) / 1e6
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter('ignore')
            path = Path(folder, 'graph.onnx')
            torch.onnx.export(model, (image,), str(path), dynamo=False)
            session = session_of(path.read_bytes(), threads)
        fed = {session.get_inputs()[0].name: image.numpy()}
        name = f'{kind.__name__}, {count:.1f} M parameters, onnxruntime'
        calls[name] = partial(session.run, None, fed)
    return calls


def contestants(graph: Path, threads: int) -> dict[str, Callable[[], Any]]:
    """The network in PyTorch, and the graph in onnxruntime, on the same inputs."""
    model = glip.load('glip-nano', device='cpu').model
    prompt = model.language_model.tokenizer.encode(parse_text(_WORDS), 256)
    text = model.language_model([prompt])
    inputs = dict(
        image=torch.randn(1, 3, *_SIZE),
        hidden=text.hidden,
        embedded=text.embedded,
        mask=text.mask,
    )
    session = session_of(graph, threads)
    names = {entry.name for entry in session.get_inputs()}
    fed = {name: value.numpy() for name, value in inputs.items() if name in names}
    return {
        'PyTorch': partial(PictureGraph(model), **inputs),
        'onnxruntime': lambda: session.run(None, fed),
    }


def measured(function: Callable[[], Any]) -> tuple[float, float]:
    """User CPU time and time of a call, in ms."""
    used, begin = resource.getrusage(resource.RUSAGE_SELF).ru_utime, time.perf_counter()
    function()
    end = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    return 1e3 * (end - used), 1e3 * (time.perf_counter() - begin)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('--graph', type=Path, required=True, help='exported ONNX file')
    add('--threads', type=int, default=1, help='of both [1]')
    add('--detectors', action='store_true', help='small ones of fixed classes as well')
    add('--runs', type=int, default=30, help='measured runs [30]')


@command(arguments, __doc__)
@torch.no_grad()
def main(args: argparse.Namespace) -> None:
    """Measure and print."""
    torch.set_num_threads(args.threads)
    sides = contestants(args.graph, args.threads)
    one, other = (function() for function in sides.values())
    if args.detectors:
        sides |= detectors(torch.randn(1, 3, *_SIZE), args.threads)
    gap = max(
        float((a - torch.from_numpy(b)).abs().max())
        for a, b in zip(one, other, strict=True)
    )
    print(f'{args.threads} threads; largest difference of predictions {gap:.1e}')
    calls = {name: partial(measured, function) for name, function in sides.items()}
    rows = [
        [name, *(' / '.join(spread(column, 1)[:2]) for column in zip(*runs))]
        for name, runs in in_turn(calls, args.runs, unmeasured=3).items()
    ]
    head = ('', 'user CPU, ms: min / median', 'time, ms: min / median')
    print(*markdown(head, rows), sep='\n')


if __name__ == '__main__':
    sys.exit(main())
