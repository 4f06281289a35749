"""Let a teacher write the boxes of captions, or of classes, as records to train on.

The noun phrases of each caption are found, the caption is the prompt, and what scores
well becomes the boxes of its phrases. See docs/self_training.md.

    python tools/pseudo_label.py glip-nano --captions captions_train2017.json \
        --data-root data/coco/train2017 --out work_dirs/labels

A run that was stopped goes on by the same command; so do several at once, also under
torchrun.
"""

import argparse
import sys

from glip.runtime.command import command
from glip.teach.pseudo_labels import Screens, label, read_classes

_LIMITS = dict(
    score_thr='least score of a box',
    nms_thr='IoU from which on the worse of two boxes of a phrase goes',
    max_per_phrase='most boxes of a phrase; 0: any number',
    max_per_picture='most boxes of a picture with one caption; 0: any number',
    min_size='least width and height of a box in pixels',
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('config', help='config of the teacher, or a zoo name')
    add('weights', nargs='?', help='its checkpoint (that of the zoo name)')
    add(
        '--captions',
        nargs='+',
        required=True,
        metavar='SRC',
        help='COCO captions JSON; jsonl of {"image", "caption"}; a folder of pictures '
        'with .txt beside them; or tar files',
    )
    add('--data-root', help='folder that the names of pictures start from')
    add('--out', required=True, help='folder of the results')
    add(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='what to look for in pictures without captions: names, a file of names '
        '(one a line, or JSON), or JSON of {prompt: class}',
    )
    for name, purpose in _LIMITS.items():
        default = getattr(Screens, name)
        add(
            f'--{name.replace("_", "-")}',
            type=type(default),
            default=default,
            help=f'{purpose} (%(default)s)',
        )
    add(
        '--to-shards',
        action='store_true',
        help='write tar files with the pictures (always where tar files are read)',
    )
    add(
        '--shard-size',
        type=int,
        default=1000,
        help='pictures (lines of a jsonl) of each file of results (%(default)s)',
    )
    add(
        '--batch-size',
        type=int,
        default=4,
        help='pictures that are read ahead (%(default)s)',
    )
    add('--limit', type=int, help='label no more pictures (lines of a jsonl) than this')
    add('--seed', type=int, default=0, help='of the pictures on the page (%(default)s)')
    add('--device', help='such as cpu or cuda:1 (a GPU for each process of torchrun)')
    add('--amp', action='store_true', help='half precision')


@command(
    arguments,
    __doc__,
    runs_config=True,
    stopped='stopped: what was labelled is kept, the same command goes on from there',
)
def main(args: argparse.Namespace) -> None:
    """Label, and say what was written."""
    captions = args.captions
    labels = label(
        args.config,
        args.weights,
        captions[0] if len(captions) == 1 else captions,
        args.out,
        data_root=args.data_root,
        classes=None if args.classes is None else read_classes(args.classes),
        screens=Screens(**{name: getattr(args, name) for name in _LIMITS}),
        to_shards=args.to_shards or None,
        shard_size=args.shard_size,
        batch_size=args.batch_size,
        seed=args.seed,
        limit=args.limit,
        device=args.device,
        amp=args.amp,
    )
    summary = labels.summary
    print(
        f'{labels.records}: {summary["records"]} records with {summary["boxes"]} boxes '
        f'of {summary["pictures"]} pictures; {summary["phrases_without_boxes"]} of '
        f'{summary["phrases"]} phrases have no box'
    )
    for reason, entry in summary['dropped'].items():
        print(f'left out: {entry["count"]} {reason} ({", ".join(entry["examples"])})')
    for name, count in summary['screened'].items():
        print(f'stopped by {name}: {count} boxes')
    print(f'to look at: {args.out}/summary.html')


if __name__ == '__main__':
    sys.exit(main())
