"""The small model in PyTorch against onnxruntime over its exported graph.

    OMP_WAIT_POLICY=passive python -m benchmarks.small --graph glip-nano.onnx

The graph is what ``glip export glip-nano --out glip-nano.onnx`` writes. The network
only: a picture of 320x416 and ten encoded words to raw predictions, which are compared.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

import glip
from glip.export.graphs import PictureGraph
from glip.runtime.command import command
from glip.runtime.extra import require
from glip.text import parse_text

from .speed.timing import in_turn, markdown, spread

_WORDS = 'person dog car cat bicycle chair bottle cup book tree'.split()


def contestants(graph: Path, threads: int) -> dict[str, Callable[[], Any]]:
    """The network in PyTorch, and the graph in onnxruntime, on the same inputs."""
    ort = require('onnxruntime', 'onnx')
    model = glip.load('glip-nano', device='cpu').model
    prompt = model.language_model.tokenizer.encode(parse_text(_WORDS), 256)
    text = model.language_model([prompt])
    inputs = dict(
        image=torch.randn(1, 3, 320, 416),
        hidden=text.hidden,
        embedded=text.embedded,
        mask=text.mask,
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    session = ort.InferenceSession(str(graph), options)
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
    add('--runs', type=int, default=30, help='measured runs [30]')


@command(arguments, __doc__)
@torch.no_grad()
def main(args: argparse.Namespace) -> None:
    """Measure and print."""
    torch.set_num_threads(args.threads)
    sides = contestants(args.graph, args.threads)
    one, other = (function() for function in sides.values())
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
