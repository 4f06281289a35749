r"""GLIP-T against the open-vocabulary detectors of transformers, on the CPU.

    python -m benchmarks.alternatives --size 480 640

For each alternative a process runs it and our A and B in turn, on the same picture and
the 80 names of COCO. Architectures differ, and all weights are random: this is about
time alone. Our words are encoded once, as a detector keeps them; ``new words`` encodes
them in every call, as the alternatives do. Printed are CPU seconds of a call, of all
threads together.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import torch

from glip.runtime.allocator import keep_freed_memory
from glip.runtime.command import command
from glip.runtime.feature_cache import FeatureCache

from .speed.environment import machine
from .speed.subjects import COCO, build_ours, our_config, prepare
from .speed.timing import cpu_seconds, in_turn, line, markdown, spread

# Of transformers: its config classes hold the shapes of the published tiny/base models.
_PEERS = ('GroundingDino', 'MMGroundingDino', 'Owlv2')
_OWL_SIDE = 960  # of the published model, whose positions are fixed
_OWL_TOKENS = 16  # of a query


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('--size', type=int, nargs=2, default=(480, 640), metavar=('HEIGHT', 'WIDTH'))
    add('--peers', nargs='+', choices=_PEERS, default=list(_PEERS))
    add('--runs', type=int, default=3, help='rounds')
    add('--threads', type=int, help="torch's default unless given")


def peer_call(name: str, size: tuple[int, int], ids: Sequence[int]) -> Callable:
    """A call of a model of transformers with random weights.

    Args:
        name: One of the peers.
        size: Height and width of the picture.
        ids: Tokens of the prompt, with the first and last one.
    """
    import transformers

    config = getattr(transformers, f'{name}Config')()
    height, width = size
    tokens = torch.tensor([list(ids)])
    if name == 'Owlv2':
        config.vision_config.image_size = height = width = _OWL_SIDE
        tokens = torch.ones(len(COCO), _OWL_TOKENS, dtype=torch.long)
        tokens[:, -1] = config.text_config.eos_token_id
    torch.manual_seed(0)
    model = getattr(transformers, f'{name}ForObjectDetection')(config).eval()
    inputs = dict(
        pixel_values=torch.randn(1, 3, height, width),
        input_ids=tokens,
        attention_mask=torch.ones_like(tokens),
    )
    return lambda: model(**inputs)


def our_calls(variant: str, size: tuple[int, int]) -> dict[str, Callable]:
    """Calls of ours: with words that are known, and with new ones."""
    model = build_ours(our_config(variant))
    batch = prepare(model, size, COCO)
    cache = FeatureCache()

    def detect(cache: FeatureCache) -> None:
        with cache.in_use(model):
            model(*batch.fresh(), mode='predict')

    return {
        variant: lambda: detect(cache),
        f'{variant}, new words': lambda: detect(FeatureCache()),
    }


@torch.no_grad()
def measure(
    name: str, size: tuple[int, int], runs: int, threads: int | None
) -> dict[str, list[float]]:
    """CPU seconds of one peer and of ours, in this process."""
    if threads:
        torch.set_num_threads(threads)
    keep_freed_memory()
    ours = our_calls('A', size) | our_calls('B', size)
    model = build_ours(our_config('A'))
    (prompt,) = model.prompts_of(prepare(model, size, COCO).fresh()[1][0])
    calls = {name: peer_call(name, size, prompt.input_ids)} | ours
    return in_turn(
        {label: partial(cpu_seconds, call) for label, call in calls.items()}, runs
    )


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Measure and print a table."""
    print(machine('cpu'), '', sep='\n')
    head = ('against', 'model', 'min', 'median', 'max', 'ratio')
    print(*markdown(head), sep='\n')
    for name in args.peers:
        with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as process:
            size = tuple(args.size)
            job = process.submit(measure, name, size, args.runs, args.threads)
            times = job.result()
        theirs = statistics.median(times[name])
        for label, values in times.items():
            ratio = f'{theirs / statistics.median(values):.1f}'
            print(line([name, label, *spread(values), ratio]), flush=True)


if __name__ == '__main__':
    sys.exit(main())
