"""What a training step costs with and without frozen features kept on disk.

Example:
    python -m benchmarks.cached_features glip-nano --tuning prompt --batch-size 8

Weights and boxes are random: times do not depend on them.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable

import torch
from torch import nn

from glip.apis import read_config
from glip.config.names import config_of
from glip.models.detectors import TUNING_MODES
from glip.runtime.command import command
from glip.runtime.feature_store import FeatureStore

from .speed.subjects import build_ours, training_batch
from .speed.timing import cpu_seconds

_STEPS = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('config', help='config file, or zoo name for that of a model')
    add('--tuning', choices=TUNING_MODES[1:], default='prompt')
    add('--without-fusion', action='store_true')
    add('--batch-size', type=int, default=1)
    add('--size', type=int, nargs=2, default=(480, 640), metavar=('HEIGHT', 'WIDTH'))


def training_step(model: nn.Module, batch: dict) -> Callable[[], None]:
    """What does a training step."""
    optimizer = torch.optim.AdamW(p for p in model.parameters() if p.requires_grad)

    def step() -> None:
        optimizer.zero_grad()
        sum(model(**batch, mode='loss').values()).backward()
        optimizer.step()

    return step


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Measure both and print the quotient."""
    torch.set_num_threads(1)
    cfg = read_config(config_of(args.config))
    cfg.model.tuning = args.tuning
    cfg.model.language_model.pretrained = False
    if args.without_fusion:
        cfg.model.bbox_head.early_fuse = False
    model = build_ours(cfg).train()
    names = ('raccoon', 'dog')
    raw = training_batch(tuple(args.size), batch=args.batch_size, boxes=1, names=names)
    batch = model.data_preprocessor(raw, True)
    step = training_step(model, batch)
    computed, kept = [], []
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(folder, lambda: '', max_gb=10.0)
        with store.in_use():
            step()  # writes the features
        for _ in range(_STEPS):  # in turns, so that both have the same machine
            computed.append(cpu_seconds(step))
            with store.in_use():
                kept.append(cpu_seconds(step))
    without, cached = min(computed), min(kept)
    print(
        f'{args.config}, {args.tuning}: {without:.2f} s per step, {cached:.2f} s with '
        f'features on disk, {without / cached:.1f} times as fast'
    )


if __name__ == '__main__':
    sys.exit(main())
