"""What the 1203 classes of LVIS cost beyond the 80 of COCO, without and with fusion.

One picture, random weights, text encoded beforehand (once per run in an evaluation).
Passes over COCO's and LVIS' names run alternately in one process; the fastest of each
counts. Floating point operations are counted as they happen, in a pass of their own:
products and convolutions, not what is read from memory or compared. Without fusion
the visual tower runs once, so a chunk of names should cost the product of positions
with tokens and little else; the last columns say how much of the surplus that is.
Prints a table in markdown.

    python benchmarks/lvis.py --size 480x640 --runs 3
"""

import argparse
from pathlib import Path

import torch
from mmdet.datasets import CocoDataset, LVISV1Dataset
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip.registry import MODELS
from glip.report.complexity import flop_counter
from glip.runtime.measuring import Timer

CONFIGS = Path(__file__).parents[1] / 'configs' / 'glip'
NAMED = {
    'GLIP-T (A), no fusion': 'glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365.py',
    'GLIP-T (B), fused': 'glip_atss_swin-t_b_fpn_dyhead_pretrain_obj365.py',
}
PROMPTS = {
    'COCO': CocoDataset.METAINFO['classes'],
    'LVIS': LVISV1Dataset.METAINFO['classes'],
}


def build(config: str, prompt_batch_size: int) -> torch.nn.Module:
    """The model of a config with random weights, and LVIS' settings."""
    cfg = Config.fromfile(CONFIGS / config).model
    cfg.language_model.pretrained = False
    cfg.test_cfg.update(
        chunked_size=40, max_per_img=300, prompt_batch_size=prompt_batch_size
    )
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('glip'):
        return MODELS.build(cfg).eval()


def sample(size: tuple[int, int], names: tuple[str, ...]) -> DetDataSample:
    """A picture's record with its prompt."""
    return DetDataSample(
        metainfo=dict(
            img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0), text=names
        )
    )


def dot_products(model: torch.nn.Module, size: tuple[int, int], chunks) -> float:
    """GFLOP of positions with the tokens of names over all chunks, by formula."""
    strides = [stride[0] for stride in model.bbox_head.prior_generator.strides]
    positions = sum(-(-size[0] // s) * -(-size[1] // s) for s in strides)
    channels = model.bbox_head.head.bbox_pred.in_channels
    tokens = sum(
        len({token for own in chunk.entity_tokens for token in own}) for chunk in chunks
    )
    return 2 * positions * channels * tokens / 1e9


@torch.no_grad()
def measure(model: torch.nn.Module, size: tuple[int, int], runs: int) -> dict:
    """Chunks, seconds and GFLOP for each set of names."""
    picture = torch.randn(1, 3, *size)
    found = {}
    for name, names in PROMPTS.items():
        # COCO's names fit into one prompt, as its published numbers have it.
        model.chunked_size = 40 if name == 'LVIS' else -1
        chunks = model.prompts_of(sample(size, names))
        model.encode_text(chunks)  # once per run, so before the clock starts
        counter = flop_counter()
        with counter:
            model(picture, [sample(size, names)], mode='predict')
        flops = counter.get_total_flops() / 1e9
        found[name] = dict(chunks=chunks, gflop=flops, seconds=[])
    for _ in range(runs):
        for name, names in PROMPTS.items():
            model.chunked_size = 40 if name == 'LVIS' else -1
            with Timer() as timer:
                model(picture, [sample(size, names)], mode='predict')
            found[name]['seconds'].append(timer.seconds)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--size', default='480x640', help='height x width of the picture'
    )
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument(
        '--prompt-batch-size',
        type=int,
        default=4,
        help='chunks that a fused tower takes together',
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    height, width = map(int, args.size.split('x'))
    size = (height, width)
    print(
        f'torch {torch.__version__}, {args.threads} threads, {height}x{width} pixels\n'
    )
    print(
        '| model | COCO, GFLOP | LVIS, GFLOP | ratio | COCO, s | LVIS, s | ratio '
        '| surplus per chunk, GFLOP | of it dot product | chunks x COCO pass, GFLOP |'
    )
    print('|---|---|---|---|---|---|---|---|---|---|')
    for title, config in NAMED.items():
        model = build(config, args.prompt_batch_size)
        found = measure(model, size, args.runs)
        coco, lvis = found['COCO'], found['LVIS']
        chunks = lvis['chunks']
        products = dot_products(model, size, chunks)
        own = dot_products(model, size, coco['chunks'])
        surplus = lvis['gflop'] - coco['gflop']
        seconds = [min(f['seconds']) for f in (coco, lvis)]
        print(
            f'| {title} | {coco["gflop"]:.0f} | {lvis["gflop"]:.0f} '
            f'| {lvis["gflop"] / coco["gflop"]:.2f} '
            f'| {seconds[0]:.2f} | {seconds[1]:.2f} | {seconds[1] / seconds[0]:.2f} '
            f'| {surplus / (len(chunks) - 1):.2f} '
            f'| {100 * (products - own) / surplus:.0f}% '
            f'| {len(chunks) * coco["gflop"]:.0f} |',
            flush=True,
        )
        del model, found, coco, lvis  # before the next one is built


if __name__ == '__main__':
    main()
