"""Deformable convolution on the CPU: gather and matrix product against torchvision.

Both sides run alternately in one process on the same tensors, in the layout that the
tower has; outputs and gradients are compared before anything is timed. The floor is
what matrix products alone take: one forward, two backward. Prints medians and ratios.

    python benchmarks/deform_conv.py --threads 2
"""

import argparse
import statistics

import torch
from torchvision.ops import deform_conv2d

from glip.ops import gather_deform_conv2d
from glip.runtime.measuring import Timer

SIZES = ((60, 80), (30, 40), (100, 168))


def torchvision_form(x, offset, mask, weight):
    return deform_conv2d(x, offset, weight, None, padding=1, mask=mask)


def floor(pixels: int, channels: int) -> float:
    """Seconds of one product of all columns with the weight."""
    columns = torch.randn(1, 9 * channels, 1, pixels)
    columns = columns.contiguous(memory_format=torch.channels_last)
    weight = torch.randn(channels, 9 * channels, 1, 1)
    with Timer() as timer:
        torch.conv2d(columns, weight)
    return timer.seconds


def step(kernel, inputs) -> tuple[float, float, list[torch.Tensor]]:
    """Seconds forward and backward, and the output with all gradients."""
    for tensor in inputs:
        tensor.grad = None
    with Timer() as forward:
        out = kernel(*inputs)
    with Timer() as backward:
        out.square().mean().backward()
    results = [out.detach(), *(tensor.grad for tensor in inputs)]
    return forward.seconds, backward.seconds, results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--channels', type=int, default=256)
    parser.add_argument('--runs', type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(
        f'torch {torch.__version__}, {args.threads} threads, {args.channels} channels'
    )
    print('| map | direction | torchvision, ms | gather, ms | ratio | floor, ms |')
    print('|---|---|---|---|---|---|')
    for height, width in SIZES:
        torch.manual_seed(0)
        shapes = ((args.channels,), (18,), (9,))
        x, offset, mask = (
            torch.randn(1, *s, height, width).contiguous(
                memory_format=torch.channels_last
            )
            for s in shapes
        )
        weight = torch.randn(args.channels, args.channels, 3, 3) / 48
        inputs = [t.requires_grad_() for t in (x, offset, mask.sigmoid(), weight)]
        times = {torchvision_form: [], gather_deform_conv2d: []}
        results = [step(kernel, inputs)[2] for kernel in times]  # also the warm-up
        for one, other in zip(*results, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
        least = []
        for _ in range(args.runs):
            for kernel, taken in times.items():
                taken.append(step(kernel, inputs)[:2])
            least.append(floor(height * width, args.channels))
        for direction, name in enumerate(('forward', 'backward')):
            theirs, ours = (
                statistics.median(t[direction] for t in taken) * 1e3
                for taken in times.values()
            )
            print(
                f'| {height}x{width} | {name} | {theirs:.0f} | {ours:.0f} '
                f'| {theirs / ours:.1f} '
                f'| {statistics.median(least) * 1e3 * (1 + direction):.0f} |'
            )


if __name__ == '__main__':
    main()
