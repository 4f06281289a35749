"""Memory of a training step: plain, with checkpointing, in half precision, with both.

Random weights, pictures of the demo with five boxes each. On a GPU the figure is that
of ``torch.cuda.max_memory_allocated``, on the CPU the peak of what torch's allocator
gave out, read from its profiler; either above weights and gradients, which are there
before the step. A step for which the memory does not suffice (on the CPU, past the
limit) is a row that says so. Prints a table in markdown.

    python -m benchmarks.memory --models swin-t_a swin-t --threads 2
    python -m benchmarks.memory --models swin-l --batch 1 2 4 --ways plain checkpoint
"""

import argparse
import gc
import itertools
import sys
import time

import torch
from mmengine.config import Config

from glip.engine.memory_errors import memory_errors_explained
from glip.errors import TrainingError
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


def measure(cfg: Config, batch: dict, way: str) -> tuple[float, float] | None:
    """MB and seconds of a step; None when the memory does not suffice."""
    _, use_checkpoint, half = WAYS[way]
    try:
        with memory_errors_explained(cfg, training=True):
            model = build_ours(cfg, use_checkpoint=use_checkpoint).to(DEVICE).train()
            start = time.perf_counter()
            peak = activations(model, batch, DEVICE, half=half)
            return peak, time.perf_counter() - start
    except TrainingError:
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
    if args.limit and DEVICE == 'cpu':
        import resource  # not on Windows

        limit = int(args.limit * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    height, width = args.size
    print(f'{machine(DEVICE)}, torch {torch.__version__}, {height} x {width}\n')
    head = ('model', 'prompt', 'pictures', 'step', 'peak (MB)', 'of plain', 'seconds')
    print(*markdown(head), sep='\n')
    for name in args.models:
        path = ROOT / 'configs' / '_base_' / 'models' / f'glip_{name}.py'
        cfg = Config(dict(model=Config.fromfile(path).model))
        for prompt, count in itertools.product(args.prompts, args.batch):
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
