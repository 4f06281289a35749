"""What a training step costs with and without frozen features kept on disk.

Example:
    python -m benchmarks.cached_features glip-nano --tuning prompt --batch-size 8

Weights and pictures are random: times do not depend on them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from glip.apis import build_model, read_config
from glip.apis.loading import config_of
from glip.models.cpu import use_cpu_kernels
from glip.models.detectors import TUNING_MODES
from glip.runtime.command import command
from glip.runtime.feature_store import FeatureStore

_STEPS = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('config', help='config file, or zoo name for that of a model')
    add('--tuning', choices=TUNING_MODES[1:], default='prompt')
    add('--without-fusion', action='store_true')
    add('--batch-size', type=int, default=1)
    add('--size', type=int, nargs=2, default=(480, 640), metavar=('HEIGHT', 'WIDTH'))


def training_step(model: Any, pictures: torch.Tensor) -> Callable[[], float]:
    """What does a training step and gives its processor seconds."""
    optimizer = torch.optim.AdamW(p for p in model.parameters() if p.requires_grad)
    truth = InstanceData(
        bboxes=torch.tensor([[10.0, 10, 200, 300]]), labels=torch.tensor([0])
    )
    shape = tuple(pictures.shape[-2:])
    metainfo = dict(img_shape=shape, ori_shape=shape, text=('raccoon', 'dog'))
    samples = [DetDataSample(metainfo=metainfo, gt_instances=truth) for _ in pictures]

    def step() -> float:
        start = time.process_time()
        optimizer.zero_grad()
        sum(model(pictures, samples, mode='loss').values()).backward()
        optimizer.step()
        return time.process_time() - start

    return step


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Measure both and print the quotient."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    cfg = read_config(config_of(args.config))
    cfg.model.tuning = args.tuning
    cfg.model.language_model.pretrained = False
    if args.without_fusion:
        cfg.model.bbox_head.early_fuse = False
    model = use_cpu_kernels(build_model(cfg)).train()
    pictures = torch.rand(args.batch_size, 3, *args.size)
    step = training_step(model, pictures)
    computed, kept = [], []
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(folder, lambda: '', max_gb=10.0)
        with store.in_use():
            step()  # writes the features
        for _ in range(_STEPS):  # in turns, so that both have the same machine
            computed.append(step())
            with store.in_use():
                kept.append(step())
    without, cached = min(computed), min(kept)
    print(
        f'{args.config}, {args.tuning}: {without:.2f} s per step, {cached:.2f} s with '
        f'features on disk, {without / cached:.1f} times as fast'
    )


if __name__ == '__main__':
    sys.exit(main())
