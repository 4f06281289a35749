"""``glip detect``: boxes for words, in anything that shows pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from glip.cli.filters import Filters, read_thresholds
from glip.cli.words import read_texts
from glip.errors import GLIPError

Words = Annotated[
    str | None,
    typer.Option('--text', '--texts', '-t', help="'person. dog', a sentence, or JSON"),
]
Model = Annotated[str, typer.Option('--model', '-m', help='zoo name or config file')]
Weights = Annotated[str | None, typer.Option(help='checkpoint for a config file')]
Device = Annotated[str | None, typer.Option(help='cpu, cuda, cuda:1 ...')]
Threshold = Annotated[
    str | None,
    typer.Option(
        metavar='SCORE', help="lowest score, or 0.4,person=0.6 [the model's own]"
    ),
]

Iou = Annotated[float | None, typer.Option(help='largest overlap of two boxes')]
ClassAgnostic = Annotated[
    bool, typer.Option('--class-agnostic', help='one name for each thing')
]
MaxBoxes = Annotated[int | None, typer.Option(help='best boxes of a picture')]
MinSize = Annotated[
    float | None, typer.Option(help='smallest width and height in pixels')
]
Recursive = Annotated[
    bool, typer.Option('--recursive', '-r', help='also folders in folders')
]


def detect(
    sources: Annotated[
        list[str],
        typer.Argument(
            help='pictures, folders, patterns, lists (.txt), videos, addresses, '
            "streams, the number of a camera, or '-'"
        ),
    ],
    text: Words = None,
    model: Model = 'glip-nano',
    weights: Weights = None,
    device: Device = None,
    out: Annotated[Path, typer.Option(help='folder of results')] = Path('outputs'),
    save: Annotated[
        str,
        typer.Option(
            help='json, coco, yolo, csv, voc, label-studio, cvat, crops; several with '
            'commas; or none'
        ),
    ] = 'json',
    tuned: Annotated[
        str | None, typer.Option('--prompt', help='file of a tuned prompt')
    ] = None,
    threshold: Threshold = None,
    iou: Iou = None,
    class_agnostic: ClassAgnostic = False,
    max_boxes: MaxBoxes = None,
    min_size: MinSize = None,
    recursive: Recursive = False,
    stride: Annotated[int, typer.Option(help='of a video, every so many frames')] = 1,
    fps: Annotated[
        float | None, typer.Option(help='of a video, frames per second')
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option(help='of each video or stream')
    ] = None,
    slice_size: Annotated[
        int | None, typer.Option('--slice', help='look in parts of so many pixels')
    ] = None,
    overlap: Annotated[float, typer.Option(help='share of neighbouring parts')] = 0.2,
    batch_size: Annotated[int, typer.Option(help='pictures at a time', min=1)] = 1,
    amp: Annotated[bool, typer.Option('--amp', help='half precision')] = False,
    show: Annotated[bool, typer.Option('--show', help='in a window')] = False,
    no_pictures: Annotated[
        bool, typer.Option('--no-pictures', help='draw nothing')
    ] = False,
    no_tags: Annotated[bool, typer.Option('--no-tags', help='boxes alone')] = False,
    blur: Annotated[
        bool, typer.Option('--blur', help='blur what is in the boxes')
    ] = False,
    palette: Annotated[str, typer.Option(help='colours of the classes')] = 'none',
    verbose: Annotated[
        bool, typer.Option('--verbose', help='print the boxes of every picture')
    ] = False,
) -> int:
    """Find what words name in pictures, folders, videos and streams."""
    # Heavy, and not needed for --help.
    from glip.formats.writers import check_names
    from glip.sources import Sampling, expand_sources

    usual, single = read_thresholds(threshold)
    filters = Filters(usual, single, iou, class_agnostic, max_boxes, min_size)
    sampling = Sampling(stride, fps, max_frames)
    formats = read_formats(save)
    listed = expand_sources(sources, recursive=recursive)
    prompt = None if text is None and tuned else parse_words(text)
    if prompt is not None:
        filters.check_names(prompt.names)
        check_names(formats, prompt.names)

    import glip.apis
    from glip.cli.run import Looks, Run
    from glip.formats.writers import ResultWriter
    from glip.visualization.window import picture_window

    writer = ResultWriter(out, formats)
    detector = glip.apis.load(model, weights, device, amp=amp, prompt=tuned)
    prompt = prompt or detector.words
    filters.check_names(prompt.names)
    check_names(formats, prompt.names)
    alone = listed.is_one_still
    run = Run(
        Looks(
            *(detector, prompt, filters, sampling, batch_size),
            slice_size=slice_size,
            overlap=overlap,
        ),
        writer,
        lambda result: result.plot(palette=palette, tags=not no_tags, blur=blur),
        pictures=None if no_pictures else out / 'vis',
        show=picture_window('glip', 0 if alone else 0.001) if show else None,
        printed=print_boxes if verbose and not alone else None,
    )
    return run_and_print(run, listed, out)


def run_and_print(run: Any, listed: Any, out: Path) -> int:
    """Detect in sources; print the boxes of a single picture, or counts.

    Returns:
        0 if at least one picture was done, 1 if none.
    """
    counts = run(listed.items)
    if listed.is_one_still and run.last is not None:
        print_boxes(run.last)
        for file in run.files:
            typer.echo(str(file))
    else:
        typer.echo(summary(counts, listed.skipped, out))
    return 0 if counts.pictures else 1


def parse_words(text: str | None) -> Any:
    """The prompt of a command line.

    Raises:
        PromptError: Nothing to find in it.
    """
    from glip.text import parse_text

    return parse_text(read_texts(text))


def read_formats(text: str) -> list[str]:
    """Read ``json,coco``; ``none`` is no format.

    Raises:
        GLIPError: There is no such format.
    """
    from glip.formats.writers import FORMATS

    names = [name.strip() for name in text.split(',') if name.strip()]
    if names == ['none']:
        return []
    for name in names:
        if name not in FORMATS:
            raise GLIPError(
                f'--save {name}: choose among {", ".join(FORMATS)}, or none'
            )
    return names


def print_boxes(detections: Any) -> None:
    """Print a line per box."""
    typer.echo(table(detections))


def table(detections: Any) -> str:
    """One line per box: name, score, corners."""
    if not len(detections):
        return 'nothing found; a lower threshold shows weaker guesses'
    width = max(4, *(len(name) for name in detections.names))
    lines = [f'{"name":{width}}  score  {"x1":>7}{"y1":>8}{"x2":>8}{"y2":>8}']
    for name, score, box in zip(
        detections.names, detections.scores, detections.boxes, strict=True
    ):
        corners = ''.join(f'{value:8.1f}' for value in box)
        lines.append(f'{name:{width}}  {score:5.2f} {corners}')
    return '\n'.join(lines)


def summary(counts: Any, skipped: Any, out: Path) -> str:
    """What a run came to, in one line."""
    asked = counts.pictures + counts.failed
    parts = [f'{counts.pictures} of {asked} pictures done, {counts.boxes} boxes']
    if skipped:
        kinds = ', '.join(
            f'{count} {ending or "without ending"}'
            for ending, count in skipped.most_common()
        )
        parts.append(f'{skipped.total()} files passed over ({kinds})')
    return f'{"; ".join(parts)}; results in {out}'
