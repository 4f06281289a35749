"""Names of the files that hold the results of each input."""

from __future__ import annotations

import urllib.parse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from glip.images import is_url


def output_names(inputs: Sequence[str]) -> list[str]:
    """Name the results of each input: its file name without the extension.

    Where two would share a name (``a.jpg`` and ``a.png``), both keep the extension
    (``a_jpg``, ``a_png``), and a number is added should that be taken as well. Names
    are compared without case, as some file systems do.
    """
    files = [_file_name(source) for source in inputs]
    stems = [Path(file).stem for file in files]
    counts = Counter(stem.casefold() for stem in stems)
    taken = {stem for stem, count in counts.items() if count == 1}
    names = []
    for file, stem in zip(files, stems, strict=True):
        name = stem
        if counts[stem.casefold()] > 1:
            wanted = name = file.replace('.', '_')
            number = 2
            while name.casefold() in taken:
                name = f'{wanted}_{number}'
                number += 1
            taken.add(name.casefold())
        names.append(name)
    return names


def _file_name(source: str) -> str:
    """Last part of a path or address, short enough to take an extension."""
    if source == '-':
        return 'stdin'
    if is_url(source) or '://' in source:
        path = urllib.parse.unquote(urllib.parse.urlsplit(source).path)
        name = path.rstrip('/').rpartition('/')[2]
        source = ''.join('_' if c in '<>:"\\|?*\0' else c for c in name) or 'image'
    name = Path(source).name
    stem, suffix = Path(name).stem, Path(name).suffix
    while len(stem.encode(errors='surrogateescape')) > 200:  # systems allow 255 bytes
        stem = stem[:-1]
    return stem + suffix
