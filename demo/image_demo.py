"""Find what words name in a picture, a folder of pictures, or one behind an address.

Example:
    python demo/image_demo.py demo/demo.jpg glip-nano --texts 'dog. bicycle. car'
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

import glip.apis
from glip.apis import Detections
from glip.cli.detect import run_and_print
from glip.cli.filters import Filters
from glip.cli.run import Looks, Run
from glip.cli.words import read_texts, read_tokens_positive
from glip.formats.writers import ResultWriter
from glip.runtime import compiling
from glip.runtime.command import command
from glip.sources import expand_sources
from glip.text import parse_text
from glip.visualization.drawing import PALETTES
from glip.visualization.window import picture_window


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes; flags are those of mmdet's image_demo.py."""
    add = parser.add_argument
    add(
        'inputs',
        nargs='+',
        help='pictures, folders, patterns, videos or addresses',
    )
    add('model', help='a config file, or a name from the zoo such as glip-nano')
    add('--weights', help='checkpoint; a name from the zoo has its own')
    add(
        '--prompt',
        help='tuned prompt, a file that tools/train.py --tuning prompt has written; '
        'without --texts its words are looked for',
    )
    add('--out-dir', default='outputs', help='where vis/ and preds/ go [outputs]')
    add(
        '--texts',
        help="what to find: 'bench. car', a sentence, '$: coco' for the names of a "
        'known data set, or JSON: ["bench", "car"] (names), {"grey fur": "raccoon"} '
        '(prompt text: class name)',
    )
    add('--device', help='cpu, cuda, cuda:1 ... [cuda if there is one]')
    add(
        '--pred-score-thr',
        type=float,
        metavar='SCORE',
        help="lowest score that is drawn, printed and written [the model's own]",
    )
    add('--batch-size', type=_positive, default=1, help='pictures at a time [1]')
    add(
        '--amp',
        action='store_true',
        help='detect in half precision: bfloat16 where the processor has it',
    )
    add('--compile', **compiling.FLAG)
    add('--show', action='store_true', help='show each result in a window')
    add('--no-save-vis', action='store_true', help='write no pictures')
    add('--no-save-pred', action='store_true', help='write no JSON')
    add('--print-result', action='store_true', help='print the JSON of each picture')
    add('--palette', default='none', choices=PALETTES, help='colours of the classes')
    add(
        '--custom-entities',
        '-c',
        action='store_true',
        help='take --texts as class names separated by dots, never as a sentence',
    )
    add(
        '--chunked-size',
        '-s',
        type=int,
        default=-1,
        help='class names per prompt; -1: as many as fit [-1]',
    )
    add(
        '--tokens-positive',
        '-p',
        help="character spans of each entity, such as '[[[0, 5]], [[9, 12]]]'; "
        '-1: the whole text is one entity',
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{value} is less than 1')
    return value


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> int:
    """Detect in all inputs."""
    words = None
    if args.texts is not None or args.prompt is None:
        words = parse_text(
            read_texts(args.texts),
            custom_entities=args.custom_entities or None,
            tokens_positive=read_tokens_positive(args.tokens_positive),
        )
    thr = args.pred_score_thr
    filters = Filters() if thr is None else Filters(thr)
    listed = expand_sources(args.inputs)
    out = Path(args.out_dir)
    writer = ResultWriter(out, [] if args.no_save_pred else ['json'])
    detector = glip.apis.load(
        args.model,
        args.weights,
        args.device,
        amp=args.amp,
        compile=dict(mode=args.compile) if args.compile else False,
        prompt=args.prompt,
    )
    wait = 0 if listed.is_one_still else 0.001
    run = Run(
        Looks(
            detector,
            words or detector.words,
            filters,
            batch_size=args.batch_size,
            chunked_size=args.chunked_size,
        ),
        writer,
        lambda detections: detections.plot(palette=args.palette),
        pictures=None if args.no_save_vis else out / 'vis',
        show=picture_window('glip', wait) if args.show else None,
        printed=print_json if args.print_result else None,
    )
    return run_and_print(run, listed, out)


def print_json(detections: Detections) -> None:
    """Print the JSON of one picture."""
    tqdm.write(detections.to_json())


if __name__ == '__main__':
    sys.exit(main())
