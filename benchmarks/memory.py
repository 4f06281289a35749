"""Memory of a training step: plain, with checkpointing, in half precision, with both.

Random weights, pictures of noise with five boxes each. On a GPU the figure is that of
``torch.cuda.max_memory_allocated``, on the CPU the peak of what torch's allocator gave
out, read from its profiler; either above weights and gradients, which are there before
the step. A step for which the memory does not suffice is a row that says so. Prints a
table in markdown.

    python benchmarks/memory.py --models swin-t_a swin-t --threads 2
    python benchmarks/memory.py --models swin-l --batch 1 2 4 --ways plain checkpoint
"""

import argparse
import gc
import platform
from collections.abc import Callable
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None

import torch
from mmdet.datasets import CocoDataset
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import nn
from torch.profiler import ProfilerActivity, profile

import glip.engine  # noqa: F401
from glip.config.checkpointing import apply_use_checkpoint
from glip.registry import MODELS
from glip.runtime.measuring import Timer, gpu_bytes

CONFIGS = Path(__file__).parents[1] / 'configs' / '_base_' / 'models'
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
PROMPTS = {'1 name': ('raccoon',), '80 names': CocoDataset.METAINFO['classes']}
# Title, use_checkpoint, half precision.
WAYS = {
    'plain': ('plain', False, False),
    'checkpoint': ('`use_checkpoint`', True, False),
    'amp': ('`--amp` (bf16)', False, True),
    'both': ('both', True, True),
}
MB, GB = 2**20, 2**30


def build(name: str, use_checkpoint: bool) -> nn.Module:
    """A model as it trains, with gradients in place."""
    model = Config.fromfile(CONFIGS / f'glip_{name}.py').model
    cfg = Config(dict(model=model, use_checkpoint=use_checkpoint))
    apply_use_checkpoint(cfg)
    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry('glip'):
        built = MODELS.build(cfg.model).to(DEVICE).train()
    for parameter in built.parameters():
        parameter.grad = torch.zeros_like(parameter)
    return built


def draw(names: tuple[str, ...], height: int, width: int, batch: int = 1) -> dict:
    """Pictures with five boxes each."""
    torch.manual_seed(0)
    drawn = [_draw_one(names, height, width) for _ in range(batch)]
    pictures, samples = zip(*drawn)
    return dict(inputs=list(pictures), data_samples=list(samples))


def _draw_one(names: tuple[str, ...], height: int, width: int) -> tuple:
    sample = DetDataSample()
    sample.set_metainfo(
        dict(img_shape=(height, width), text=names, custom_entities=True)
    )
    corners = torch.rand(5, 2) * torch.tensor([width / 2, height / 2])
    sizes = 20 + torch.rand(5, 2) * torch.tensor([width / 3, height / 3])
    sample.gt_instances = InstanceData(
        bboxes=torch.cat((corners, corners + sizes), 1).to(DEVICE),
        labels=(torch.arange(5) % len(names)).to(DEVICE),
    )
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8), sample


def step(model: nn.Module, batch: dict, half: bool) -> None:
    """Forward and backward."""
    data = model.data_preprocessor(batch, training=True)
    with torch.autocast(DEVICE, torch.bfloat16, enabled=half):
        losses = model(**data, mode='loss')
    sum(losses.values()).backward()


def peak(action: Callable[[], None], device: str = DEVICE) -> int:
    """Most bytes that an action held at once on a device."""
    if device == 'cuda':
        action()  # once before, for the workspaces that libraries keep
        return gpu_bytes(action)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        action()
    events = [
        event
        for event in profiler.profiler.kineto_results.events()
        if event.name() == '[memory]'
    ]
    held = highest = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        highest = max(highest, held)
    return highest


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
        gigabytes = int(lines['MemAvailable'].split()[0]) / MB
    if gigabytes is not None:
        limit = int(gigabytes * GB)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def measure(
    name: str, names: tuple[str, ...], size: list[int], batch: int, way: str
) -> tuple[float, float] | None:
    """MB and seconds of a step; None when the memory does not suffice."""
    _, use_checkpoint, half = WAYS[way]
    try:
        model = build(name, use_checkpoint)
        data = draw(names, *size, batch)
        with Timer(DEVICE) as timer:
            most = peak(lambda: step(model, data, half))
        return most / MB, timer.seconds
    except (MemoryError, torch.OutOfMemoryError):
        return None
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        return None
    finally:
        model = data = None
        gc.collect()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--models', nargs='+', default=['swin-t_a', 'swin-t'])
    parser.add_argument('--prompts', nargs='+', choices=PROMPTS, default=[*PROMPTS])
    parser.add_argument('--ways', nargs='+', choices=WAYS, default=[*WAYS])
    parser.add_argument('--batch', nargs='+', type=int, default=[1])
    parser.add_argument('--size', nargs=2, type=int, default=[480, 640])
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--limit', type=float, help='GB that the process may take')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    limit_memory(args.limit)
    machine = torch.cuda.get_device_name() if DEVICE == 'cuda' else platform.machine()
    print(f'{machine}, torch {torch.__version__}, {args.size[0]} x {args.size[1]}\n')
    print('| model | prompt | pictures | step | peak (MB) | of plain | seconds |')
    print('|---|---|---|---|---|---|---|')
    for name in args.models:
        for prompt in args.prompts:
            for batch in args.batch:
                plain = None
                for way in args.ways:
                    found = measure(name, PROMPTS[prompt], args.size, batch, way)
                    most, seconds = found or (None, None)
                    plain = plain or (most if way == 'plain' else None)
                    cells = [name, prompt, str(batch), WAYS[way][0]]
                    cells += ['does not fit' if most is None else f'{most:.0f}']
                    cells += [f'{most / plain:.2f}' if most and plain else '']
                    cells += [f'{seconds:.0f}' if found else '']
                    print(f'| {" | ".join(cells)} |', flush=True)


if __name__ == '__main__':
    main()
