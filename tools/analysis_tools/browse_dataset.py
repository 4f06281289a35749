"""Look at the pictures, captions and boxes that a config trains or tests on."""

import argparse
import sys
from pathlib import Path

from glip.config.arguments import add_cfg_options
from glip.config.flags import prepare_config
from glip.errors import ConfigError
from glip.evaluation.offline import SPLITS
from glip.report.browse import FORMATS, browse
from glip.report.samples import MODES, SampleBrowser
from glip.runtime.command import command
from glip.visualization.window import picture_window

_MOST = 200  # samples, unless --number says otherwise


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add mmdet's flags, and mmyolo's where mmdet has none."""
    add = parser.add_argument
    add('config', help='config file')
    add(
        *('--output-dir', '--out-dir', '-o'),
        help='folder to write to (work_dirs/<config name>/browse_<split>)',
    )
    add(
        *('--split', '--phase', '-p'),
        choices=SPLITS,
        default='train',
        help='whose data (%(default)s)',
    )
    add(
        *('--mode', '-m'),
        choices=MODES,
        default='transformed',
        help='as the model sees it, as annotated, or every step of the pipeline '
        '(%(default)s)',
    )
    add(
        *('--number', '--show-number', '--max-items', '-n'),
        type=int,
        help=f'how many samples, spread evenly over the data set; 0 for all ({_MOST})',
    )
    add('--index', type=int, nargs='+', help='samples of these numbers instead')
    add(
        '--format',
        choices=FORMATS,
        default='html',
        help='a page to leaf through, or a picture file per sample (%(default)s)',
    )
    add('--html', dest='format', action='store_const', const='html', help='a page')
    add('--per-page', type=int, default=20, help='samples on a page (%(default)s)')
    add('--seed', type=int, default=0, help='of what is random (%(default)s)')
    add('--show', action='store_true', help='also show each in a window')
    add('--not-show', action='store_true', help='no windows, which is the default')
    add(
        *('--show-interval', '-i'),
        type=float,
        default=2,
        help='seconds that a window stays; 0 waits for a key (%(default)s)',
    )
    add_cfg_options(parser, 'as in custom_data.data_root=data/mine/')


@command(arguments, __doc__, runs_config=True)
def main(args: argparse.Namespace) -> None:
    """Write samples of a data set as a page or as pictures."""
    if (args.number or 0) < 0 or args.per_page < 1:
        raise ConfigError('--number and --per-page must be positive')
    cfg = prepare_config(args.config, cfg_options=args.cfg_options)
    name = Path(args.config).stem
    folder = args.output_dir
    if folder is None:
        folder = Path('work_dirs', name, f'browse_{args.split}')
    window = None
    if args.show and not args.not_show:
        window = picture_window('samples', args.show_interval)
    browser = SampleBrowser(cfg, split=args.split, mode=args.mode, seed=args.seed)
    number = args.number
    if number is None and not browser.is_stream:
        number = _MOST
    path, facts = browse(
        browser,
        folder,
        title=f'{name}: {args.split}, {args.mode}',
        number=number or None,
        which=args.index,
        as_images=args.format == 'images',
        per_page=args.per_page,
        show=window,
    )
    for key, value in facts:
        print(f'{key}: {value}')
    if not browser.is_stream and not args.index and number:
        total = len(browser.dataset)
        if number < total:
            print(f'{number} of {total} samples; --number 0 takes all')
    print(f'written: {path}')


if __name__ == '__main__':
    sys.exit(main())
