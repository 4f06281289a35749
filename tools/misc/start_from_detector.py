r"""Make a GLIP of a detector with a fixed list of classes, in minutes and on a CPU.

The class layer of the detector becomes a space of words (closed form), then words and
their synonyms learn from the detector's own scores on pictures without labels. See
docs/nano.md.

    python tools/misc/start_from_detector.py configs/glip/glip_nano_csp_minilm.py \
        nanodet_g.safetensors configs/glip/words/everyday.json start.safetensors \
        --language data/pretrained/minilm --pictures data/coco/train2017
"""

import argparse
import sys

from glip.runtime.command import command
from glip.teach.start import start_from_detector


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('config', help='config whose neck is a ClassSpaceNeck')
    add(
        'detector',
        help='weights backbone.*, neck.* and, for level i, predict.i.* (class logits, '
        'then distance logits)',
    )
    add('words', help='JSON of synonyms and other words')
    add('out', help='file to write; .safetensors or .pth')
    add('--language', required=True, help='folder with the weights of the BERT')
    add('--pictures', help='folder of pictures without labels; none: closed form only')
    add('--max-pictures', type=int, default=600, help='pictures that are used [600]')
    add('--steps', type=int, default=3000, help='steps of the distillation [3000]')
    add('--scale', type=float, default=1.5, help='factor on all logits [1.5]')
    add('--offset', type=float, default=-0.8, help='added to all logits [-0.8]')
    add('--seed', type=int, default=0, help='of all draws [0]')


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Write the weights of the GLIP."""
    start_from_detector(
        args.config,
        args.detector,
        args.words,
        args.out,
        language=args.language,
        pictures=args.pictures,
        max_pictures=args.max_pictures,
        steps=args.steps,
        scale=args.scale,
        offset=args.offset,
        seed=args.seed,
    )
    print(f'written to {args.out}')


if __name__ == '__main__':
    sys.exit(main())
