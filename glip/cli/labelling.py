"""Boxes of a folder of pictures, kept so that a stopped run goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from glip.apis import load
from glip.apis.detections import Detections
from glip.cli.filters import Filters
from glip.cli.names import output_names
from glip.cli.run import Counts, Looks
from glip.errors import GLIPError, one_line
from glip.runtime.writing import write_text
from glip.sources import Source, expand_sources, pictures_of
from glip.text import TextPrompt

# Below the folder of the data set; its files are the memory of the run.
_STORE = '.boxes'


def label_pictures(
    folder: Path,
    out: Path,
    prompt: TextPrompt,
    filters: Filters,
    *,
    model: str,
    weights: str | None = None,
    device: str | None = None,
    recursive: bool = False,
) -> Counts:
    """Detect in the pictures of a folder that were not looked at before.

    Args:
        folder: Pictures; videos in it are passed over.
        out: The boxes of each picture go into a file below it, at once.
        prompt: What to look for.
        filters: Which boxes are kept.
        model: Zoo name or config file.
        weights: Checkpoint for a config file.
        device: Where to run.
        recursive: Look into folders below folders.

    Returns:
        Counts over all pictures, also those of earlier runs.

    Raises:
        GLIPError: The folder holds no picture, or an earlier run into ``out`` asked for
            something else.
    """
    listed = expand_sources([str(folder)], recursive=recursive)
    pictures = [source for source in listed.items if source.kind == 'picture']
    if not pictures:
        raise GLIPError(f'{folder}: no pictures in this folder')
    store = out / _STORE
    _check_settings(
        store / 'settings.json',
        dict(
            text=list(prompt.names),
            caption=prompt.caption,
            model=model,
            weights=weights,
            filters=dataclasses.asdict(filters),
        ),
    )
    counts = Counts()
    waiting = []
    for source in pictures:
        record = _read(_path(store, source), source.name)
        if record is None:
            waiting.append(source)
        else:
            counts.pictures += 1
            counts.boxes += len(record)
    if waiting:
        looks = Looks(load(model, weights, device), prompt, filters)
        _look(looks, waiting, store, counts)
    return counts


def _look(looks: Looks, sources: list[Source], store: Path, counts: Counts) -> None:
    stills = [picture for source in sources for picture in pictures_of(source)]
    with tqdm(total=len(sources), unit='picture') as bar:
        for source, (_, result) in zip(sources, looks(stills), strict=True):
            bar.update()
            if not isinstance(result, Detections):
                counts.failed += 1
                tqdm.write(f'error: {one_line(result)}', file=sys.stderr)
                continue
            write_text(_path(store, source), result.to_json() + '\n')
            counts.pictures += 1
            counts.boxes += len(result)


def labelled_pictures(out: Path) -> Iterator[tuple[str, Detections]]:
    """Yield what :func:`label_pictures` kept, by the path of the picture.

    Yields:
        A unique name for the picture's file, and its boxes. Pictures that are gone are
        left out.
    """
    records = []
    for path in sorted((out / _STORE).glob('*.json')):
        if path.name == 'settings.json':
            continue
        record = _read(path, None)
        if record is not None and record.image and Path(record.image).is_file():
            records.append(record)
    records.sort(key=lambda record: str(record.image))
    paths = [str(record.image) for record in records]
    for path, name, record in zip(paths, output_names(paths), records, strict=True):
        yield name + Path(path).suffix, record


def _check_settings(path: Path, settings: dict[str, Any]) -> None:
    """Keep what is asked for, or see that it is what was asked for before."""
    text = json.dumps(settings, ensure_ascii=False, sort_keys=True)
    if path.is_file():
        if path.read_text(encoding='utf-8').strip() != text:
            raise GLIPError(
                f'{path.parent.parent}: was labelled with other words, limits or '
                'another model; name another --out, or delete that folder'
            )
        return
    write_text(path, text + '\n')


def _path(store: Path, source: Source) -> Path:
    """File of a picture's boxes; other pictures may come and go beside it."""
    key = source.name.encode('utf-8', 'surrogateescape')
    return store / f'{hashlib.sha256(key).hexdigest()[:24]}.json'


def _read(path: Path, image: str | None) -> Detections | None:
    """Boxes that were kept; None if there are none to use."""
    try:
        record = Detections.from_dict(json.loads(path.read_text(encoding='utf-8')))
    except (OSError, ValueError):
        return None
    return record if image in (None, record.image) else None
