"""The small model in PyTorch against onnxruntime over its exported graph.

    OMP_WAIT_POLICY=passive python -m benchmarks.small --graph glip-nano.onnx

The graph is what ``glip export glip-nano --out glip-nano.onnx`` writes. The network
only: a picture of 320x416 and ten encoded words to raw predictions, which are compared.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import glip
from glip.export.graphs import PictureGraph
from glip.runtime.extra import require
from glip.text import parse_text

_WORDS = 'person dog car cat bicycle chair bottle cup book tree'.split()
_UNMEASURED = 3  # runs that come before


def contestants(graph: Path, threads: int) -> dict[str, Callable[[], Any]]:
    """The network in PyTorch, and the graph in onnxruntime, on the same inputs."""
    ort = require('onnxruntime', 'onnx')
    model = glip.load('glip-nano', device='cpu').model
    prompt = model.language_model.tokenizer.encode(parse_text(_WORDS), 256)
    with torch.no_grad():
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
    network = PictureGraph(model)

    @torch.no_grad()
    def in_torch() -> tuple[Tensor, ...]:
        return network(**inputs)

    return {'PyTorch': in_torch, 'onnxruntime': lambda: session.run(None, fed)}


def measured(function: Callable[[], Any]) -> tuple[float, float]:
    """User CPU time and time of a call, in ms."""
    used, begin = resource.getrusage(resource.RUSAGE_SELF).ru_utime, time.perf_counter()
    function()
    end = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    return 1e3 * (end - used), 1e3 * (time.perf_counter() - begin)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--graph', type=Path, required=True, help='exported ONNX file')
    parser.add_argument('--threads', type=int, default=1, help='of both [1]')
    parser.add_argument('--runs', type=int, default=30, help='measured runs [30]')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    sides = contestants(args.graph, args.threads)
    one, other = (function() for function in sides.values())
    gap = max(
        float((a - torch.from_numpy(b)).abs().max())
        for a, b in zip(one, other, strict=True)
    )
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(args.runs + _UNMEASURED):
        for name, function in sides.items():
            times[name].append(measured(function))
    print(f'{args.threads} threads; largest difference of predictions {gap:.1e}')
    print('| | user CPU, ms: min / median | time, ms: min / median |\n|---|---|---|')
    for name, runs in times.items():
        cells = (
            f'{min(column):.1f} / {statistics.median(column):.1f}'
            for column in zip(*runs[_UNMEASURED:], strict=True)
        )
        print(f'| {name} | {" | ".join(cells)} |')


if __name__ == '__main__':
    main()
