"""Memory of a training step: plain, with checkpointing, in half precision, with both.

Random weights, one picture of noise with five boxes. On a GPU the figure is that of
``torch.cuda.max_memory_allocated``, on the CPU the peak of what torch's allocator gave
out, read from its profiler; either above weights and gradients, which are there before
the step. Prints a table in markdown.

    python benchmarks/memory.py --models swin-t_a swin-t --threads 2
"""

import argparse
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from mmdet.datasets import CocoDataset
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import nn
from torch.profiler import ProfilerActivity, profile

import glip.engine  # noqa: F401
from glip.apis.memory import apply_use_checkpoint
from glip.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs' / '_base_' / 'models'
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
PROMPTS = {'1 name': ('raccoon',), '80 names': CocoDataset.METAINFO['classes']}
WAYS = {
    'plain': (False, False),
    '`use_checkpoint`': (True, False),
    '`--amp` (bf16)': (False, True),
    'both': (True, True),
}
MB = 2**20


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


def draw(names: tuple[str, ...], height: int, width: int) -> dict:
    """A picture with five boxes."""
    torch.manual_seed(0)
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
    picture = torch.randint(0, 256, (3, height, width), dtype=torch.uint8)
    return dict(inputs=[picture], data_samples=[sample])


def step(model: nn.Module, batch: dict, half: bool) -> None:
    """Forward and backward."""
    data = model.data_preprocessor(batch, training=True)
    with torch.autocast(DEVICE, torch.bfloat16, enabled=half):
        losses = model(**data, mode='loss')
    sum(losses.values()).backward()


def peak(action: Callable[[], None]) -> int:
    """Most bytes that an action held at once."""
    if DEVICE == 'cuda':
        action()  # once before, for the workspaces that libraries keep
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        action()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        action()
    events = [
        event
        for event in found.profiler.kineto_results.events()
        if event.name() == '[memory]'
    ]
    held = highest = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        highest = max(highest, held)
    return highest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--models', nargs='+', default=['swin-t_a', 'swin-t'])
    parser.add_argument('--prompts', nargs='+', choices=PROMPTS, default=[*PROMPTS])
    parser.add_argument('--size', nargs=2, type=int, default=[480, 640])
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    machine = torch.cuda.get_device_name() if DEVICE == 'cuda' else platform.machine()
    print(f'{machine}, torch {torch.__version__}, {args.size[0]} x {args.size[1]}\n')
    print('| model | prompt | step | peak (MB) | of plain | seconds |')
    print('|---|---|---|---|---|---|')
    for name in args.models:
        for prompt in args.prompts:
            plain = None
            for way, (use_checkpoint, half) in WAYS.items():
                model = build(name, use_checkpoint)
                batch = draw(PROMPTS[prompt], *args.size)
                begin = time.perf_counter()
                most = peak(lambda m=model, b=batch, h=half: step(m, b, h))
                seconds = time.perf_counter() - begin
                plain = plain or most
                print(
                    f'| {name} | {prompt} | {way} | {most / MB:.0f} | '
                    f'{most / plain:.2f} | {seconds:.0f} |',
                    flush=True,
                )


if __name__ == '__main__':
    main()
