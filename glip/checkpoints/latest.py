"""Which checkpoint a training goes on from."""

import re
import zipfile
from pathlib import Path

_STEP = re.compile(r'^(?:epoch|iter)_\d+\.pth$')


def latest_checkpoint(work_dir: str | Path) -> Path | None:
    """The last complete training checkpoint of a work directory.

    The file named in ``last_checkpoint`` if it is whole, else the newest whole
    ``epoch_*.pth`` or ``iter_*.pth``; never a "best" one, which lacks the optimizer.

    Returns:
        Path, or None when there is none.
    """
    folder = Path(work_dir)
    candidates = []
    pointer = folder / 'last_checkpoint'
    if pointer.is_file() and (named := pointer.read_text().strip()):
        candidates += [Path(named), folder / Path(named).name]
    if folder.is_dir():
        steps = [path for path in folder.iterdir() if _STEP.match(path.name)]
        candidates += sorted(steps, key=lambda p: p.stat().st_mtime, reverse=True)
    # The table of a zip archive, hence of a torch file, is written last.
    whole = (path for path in candidates if path.is_file() and zipfile.is_zipfile(path))
    return next(whole, None)
