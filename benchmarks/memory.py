"""Memory of a training step: plain, with checkpointing, in half precision, with both.

Random weights, pictures of the demo with five boxes each. On a GPU the figure is that
of ``torch.cuda.max_memory_allocated``, on the CPU the peak of what torch's allocator
gave out, read from its profiler; either above weights and gradients, which are there
before the step. A step for which the memory does not suffice is a row that says so.
Prints a table in markdown.

    python -m benchmarks.memory --models swin-t_a swin-t --threads 2
    python -m benchmarks.memory --models swin-l --batch 1 2 4 --ways plain checkpoint
"""

import argparse
import gc
import sys
import time
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None

import torch
from mmengine.config import Config

import glip.engine  # noqa: F401
from glip.runtime.command import command

from .speed.environment import machine
from .speed.subjects import COCO, ROOT, build_ours, training_batch
from .speed.timing import line, markdown
from .speed.training import activations

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
PROMPTS = {'1 name': ('raccoon',), '80 names': COCO}
# Title, use_checkpoint, half precision.
WAYS = {
    'plain': ('plain', False, False),
    'checkpoint': ('`use_checkpoint`', True, False),
    'amp': ('`--amp` (bf16)', False, True),
    'both': ('both', True, True),
}


def limit_memory(gigabytes: float | None) -> None:
    """Refuse allocations past a limit, so that the system need not kill processes.

    Args:
        gigabytes: Of this process; None for what is available, where Linux tells.
    """
    listed = Path('/proc/meminfo')
    if resource is None or DEVICE == 'cuda':
        return
    if gigabytes is None and listed.is_file():
        lines = dict(line.split(':') for line in listed.read_text().splitlines())
        gigabytes = int(lines['MemAvailable'].split()[0]) / 2**20
    if gigabytes is not None:
        limit = int(gigabytes * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def measure(cfg: Config, batch: dict, way: str) -> tuple[float, float] | None:
    """MB and seconds of a step; None when the memory does not suffice."""
    _, use_checkpoint, half = WAYS[way]
    try:
        model = build_ours(cfg, use_checkpoint=use_checkpoint).to(DEVICE).train()
        start = time.perf_counter()
        peak = activations(model, batch, DEVICE, half=half)
        return peak, time.perf_counter() - start
    except (MemoryError, torch.OutOfMemoryError):
        return None
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        return None
    finally:
        model = None
        gc.collect()


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('--models', nargs='+', default=['swin-t_a', 'swin-t'])
    add('--prompts', nargs='+', choices=PROMPTS, default=[*PROMPTS])
    add('--ways', nargs='+', choices=WAYS, default=[*WAYS])
    add('--batch', nargs='+', type=int, default=[1])
    add('--size', nargs=2, type=int, default=[480, 640])
    add('--threads', type=int, default=torch.get_num_threads())
    add('--limit', type=float, help='GB that the process may take')


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Print a row for each model, prompt, batch and way."""
    torch.set_num_threads(args.threads)
    limit_memory(args.limit)
    height, width = args.size
    print(f'{machine(DEVICE)}, torch {torch.__version__}, {height} x {width}\n')
    head = ('model', 'prompt', 'pictures', 'step', 'peak (MB)', 'of plain', 'seconds')
    print(*markdown(head), sep='\n')
    for name in args.models:
        path = ROOT / 'configs' / '_base_' / 'models' / f'glip_{name}.py'
        cfg = Config(dict(model=Config.fromfile(path).model))
        for prompt in args.prompts:
            for count in args.batch:
                batch = training_batch(
                    (height, width), batch=count, boxes=5, names=PROMPTS[prompt]
                )
                plain = None
                for way in args.ways:
                    cells = [name, prompt, str(count), WAYS[way][0]]
                    measured = measure(cfg, batch, way)
                    if measured is None:
                        cells += ['does not fit', '', '']
                    else:
                        peak, seconds = measured
                        plain = peak if way == 'plain' else plain
                        share = f'{peak / plain:.2f}' if plain else ''
                        cells += [f'{peak:.0f}', share, f'{seconds:.0f}']
                    print(line(cells), flush=True)


if __name__ == '__main__':
    sys.exit(main())
