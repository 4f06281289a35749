"""``glip label``: a data set of a folder of pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from glip.cli.detect import (
    ClassAgnostic,
    Device,
    Iou,
    MaxBoxes,
    MinSize,
    Model,
    Recursive,
    Threshold,
    Weights,
    Words,
)
from glip.cli.filters import Filters, read_thresholds
from glip.errors import GLIPError


def label(
    folder: Annotated[Path, typer.Argument(help='folder of pictures')],
    text: Words = None,
    label_map: Annotated[
        str | None,
        typer.Option('--map', help='{"prompt text": "class name"}, or a file of it'),
    ] = None,
    save: Annotated[
        str, typer.Option(help='coco, yolo, voc, label-studio or cvat')
    ] = 'coco',
    out: Annotated[
        Path | None, typer.Option(help='data set to write [FOLDER_labelled]')
    ] = None,
    val_share: Annotated[
        float, typer.Option(help='share of the pictures for validation')
    ] = 0.2,
    seed: Annotated[int, typer.Option(help='of the split')] = 0,
    model: Model = 'glip-nano',
    weights: Weights = None,
    device: Device = None,
    threshold: Threshold = None,
    iou: Iou = None,
    class_agnostic: ClassAgnostic = False,
    max_boxes: MaxBoxes = None,
    min_size: MinSize = None,
    recursive: Recursive = False,
) -> int:
    """Label a folder of pictures, to train on or to correct by hand.

    A run that was stopped goes on where it was: the same command again.
    """
    from glip.cli.data_set import LAYOUTS, write_data_set, write_review
    from glip.cli.labelling import label_pictures, labelled_pictures
    from glip.formats.writers import check_names
    from glip.text import parse_text

    if (text is None) == (label_map is None):
        raise GLIPError('give either --text or --map')
    if save not in LAYOUTS:
        raise GLIPError(f'--save {save}: choose among {", ".join(LAYOUTS)}')
    if not 0 <= val_share < 1:
        raise GLIPError(f'--val-share is from 0 to below 1, not {val_share}')
    usual, single = read_thresholds(threshold)
    filters = Filters(usual, single, iou, class_agnostic, max_boxes, min_size)
    prompt = parse_text(
        read_map(label_map) if label_map else text, custom_entities=True
    )
    filters.check_names(prompt.names)
    check_names([save], prompt.names)
    out = out or folder.with_name(f'{folder.resolve().name}_labelled')
    counts = label_pictures(
        folder,
        out,
        prompt,
        filters,
        model=model,
        weights=weights,
        device=device,
        recursive=recursive,
    )
    classes = list(dict.fromkeys(prompt.names))
    entries = list(labelled_pictures(out))
    files = write_data_set(out, save, entries, classes, val_share=val_share, seed=seed)
    review = write_review(out, entries)
    typer.echo(
        f'{counts.pictures} pictures, {counts.boxes} boxes, {counts.failed} failed'
    )
    for file in files:
        typer.echo(f'annotations: {file}')
    typer.echo(f'review: {review}')
    if save == 'coco':
        typer.echo(f'next: glip train --data {out}')
    return 0 if counts.pictures else 1


def read_map(text: str) -> dict[str, str]:
    """Read ``{"prompt text": "class name"}``, or a file that holds it.

    Raises:
        GLIPError: It is neither, or two classes share a prompt.
    """
    source = text
    if not text.lstrip().startswith('{'):
        try:
            source = Path(text).read_text(encoding='utf-8-sig')
        except (OSError, UnicodeDecodeError) as error:
            raise GLIPError(
                f'--map {text}: give {{"prompt text": "class name"}} or a JSON file '
                f'({getattr(error, "strerror", None) or "no text in UTF-8"})'
            ) from error
    try:
        pairs = json.loads(source, object_pairs_hook=list)
    except (json.JSONDecodeError, RecursionError) as error:
        raise GLIPError(f'--map: no JSON object ({error})') from error
    words: dict[str, str] = {}
    if not isinstance(pairs, list) or not pairs:
        raise GLIPError('--map: give {"prompt text": "class name", ...}')
    for pair in pairs:
        if not (
            isinstance(pair, (list, tuple))
            and len(pair) == 2
            and all(isinstance(part, str) and part.strip() for part in pair)
        ):
            raise GLIPError('--map: prompts and class names are texts')
        prompt, name = (part.strip() for part in pair)
        if words.setdefault(prompt, name) != name:
            raise GLIPError(
                f'--map: {prompt!r} stands for both {words[prompt]!r} and {name!r}'
            )
    return words
