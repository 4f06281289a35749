"""Draw what a training logged, or say how long its iterations took."""

import argparse
import sys

from glip.errors import ConfigError
from glip.report.log_figures import draw_keys
from glip.report.logs import read_log, time_lines
from glip.runtime.command import command


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes; the flags are mmdet's."""
    tasks = parser.add_subparsers(dest='task', required=True, metavar='TASK')
    logs = dict(
        metavar='LOG',
        nargs='+',
        help='vis_data/scalars.json of a run, or its work directory',
    )
    plot = tasks.add_parser('plot_curve', help='draw losses, rates, results')
    plot.add_argument('json_logs', **logs)
    plot.add_argument(
        '--keys',
        nargs='+',
        default=['bbox_mAP'],
        help='what to draw, as loss_cls or bbox_mAP (%(default)s)',
    )
    plot.add_argument(
        '--start-epoch', type=int, default=1, help='leave out earlier ones'
    )
    plot.add_argument(
        '--eval-interval',
        type=int,
        default=1,
        help='accepted for old commands; the log itself says when it was validated',
    )
    plot.add_argument('--title', help='written above')
    plot.add_argument('--legend', nargs='+', help='a name for each curve')
    plot.add_argument('--backend', help="matplotlib's, of the window without --out")
    plot.add_argument('--style', help="matplotlib's style")
    plot.add_argument('--out', help='image file; without, a window is shown')
    times = tasks.add_parser('cal_train_time', help='seconds per iteration')
    times.add_argument('json_logs', **logs)
    times.add_argument(
        '--include-outliers',
        action='store_true',
        help='count the first line of every epoch as well',
    )


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Draw curves of logs, or print times."""
    logs = [read_log(path) for path in args.json_logs]
    if args.task == 'cal_train_time':
        for log in logs:
            lines = time_lines(log, include_outliers=args.include_outliers)
            print('\n'.join(lines), end='\n\n')
        return
    out = args.out or 'curves.png'
    draw_keys(
        logs,
        args.keys,
        out,
        legend=args.legend,
        title=args.title,
        style=args.style,
        start_epoch=args.start_epoch,
    )
    print(f'save curve to: {out}')
    if args.out is None:
        _show(out, args.backend)


def _show(path: str, backend: str | None) -> None:
    """Open a window with the picture, where there is a display."""
    import matplotlib

    try:
        if backend is not None:
            matplotlib.use(backend)
        import matplotlib.pyplot as plt
    except (ImportError, ValueError) as error:
        raise ConfigError(f'--backend {backend}: {" ".join(str(error).split())}') from (
            error
        )
    if matplotlib.get_backend().lower() == 'agg':
        return
    plt.axis('off')
    plt.imshow(plt.imread(path))
    plt.show()


if __name__ == '__main__':
    sys.exit(main())
