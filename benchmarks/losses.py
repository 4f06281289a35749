"""Targets and losses of a batch: ours against mmdet's assigner and losses.

Both sides run alternately in one process on the same raw predictions of the head; the
losses are compared before anything is timed. Prints medians and ratios.

    python benchmarks/losses.py --threads 2
"""

import argparse
import statistics

import torch

from glip.models.dense_heads import GroundTruth
from glip.registry import MODELS
from glip.runtime.measuring import Timer

STRIDES = (8, 16, 32, 64, 128)
MMDET = dict(
    loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True),
    loss_bbox=dict(type='mmdet.GIoULoss', loss_weight=2.0),
    train_cfg=dict(
        assigner=dict(
            type='mmdet.ATSSAssigner',
            topk=9,
            iou_calculator=dict(type='mmdet.BboxOverlaps2D_GLIP'),
        )
    ),
)


def make_head(**fields):
    # Its network is not used: the predictions are drawn.
    return MODELS.build(
        dict(type='ATSSVLFusionHead', in_channels=16, num_dyhead_blocks=1, **fields)
    )


def draw(args) -> tuple[list[list[torch.Tensor]], torch.Tensor, GroundTruth]:
    """Raw predictions, the mask of the tokens, and what the pictures show."""
    torch.manual_seed(0)
    sizes = [(-(-args.height // s), -(-args.width // s)) for s in STRIDES]
    batch, tokens = args.batch, args.tokens
    predictions = [
        [torch.randn(batch, h * w, tokens) - 4 for h, w in sizes],
        [torch.randn(batch, 4, h, w) for h, w in sizes],
        [torch.randn(batch, 1, h, w) for h, w in sizes],
    ]
    corner = torch.rand(batch, args.boxes + 1, 2)
    corner = corner * torch.tensor([args.width, args.height]) * 0.9
    size = torch.rand(batch, args.boxes + 1, 2) ** 2 * 300 + 8
    words = torch.nn.functional.one_hot(
        torch.randint(0, tokens, (batch, args.boxes + 1)), tokens
    ).bool()
    words[:, -1] = False
    truth = GroundTruth(torch.cat((corner, corner + size), -1), words)
    return predictions, torch.ones(batch, tokens, dtype=torch.bool), truth


def step(head, predictions, mask, truth) -> tuple[float, float, dict]:
    """Seconds of targets and losses, of their gradients, and the losses."""
    leaves = [[x.detach().requires_grad_() for x in kind] for kind in predictions]
    with Timer() as forward:
        losses = head.loss_by_feat(*leaves, mask, truth)
    with Timer() as backward:
        sum(losses.values()).backward()
    return forward.seconds, backward.seconds, losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--height', type=int, default=800)
    parser.add_argument('--width', type=int, default=1333)
    parser.add_argument('--boxes', type=int, default=60)
    parser.add_argument('--tokens', type=int, default=256)
    parser.add_argument('--runs', type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    inputs = draw(args)
    heads = dict(theirs=make_head(**MMDET), ours=make_head())
    results = {name: step(head, *inputs)[2] for name, head in heads.items()}
    for key, loss in results['ours'].items():
        torch.testing.assert_close(loss, results['theirs'][key], rtol=1e-4, atol=1e-5)
    times = {name: [] for name in heads}
    for _ in range(args.runs):
        for name, head in heads.items():
            times[name].append(step(head, *inputs)[:2])
    print(
        f'torch {torch.__version__}, {args.threads} threads, {args.batch} pictures of '
        f'{args.width}x{args.height}, {args.boxes} boxes, {args.tokens} tokens'
    )
    print('| step | mmdet, ms | ours, ms | ratio |')
    print('|---|---|---|---|')
    for i, name in enumerate(('targets and losses', 'gradients')):
        theirs, ours = (
            statistics.median(t[i] for t in times[side]) * 1e3
            for side in ('theirs', 'ours')
        )
        print(f'| {name} | {theirs:.0f} | {ours:.0f} | {theirs / ours:.1f} |')


if __name__ == '__main__':
    main()
