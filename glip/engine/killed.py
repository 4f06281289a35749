"""What a killed training leaves in its work directory."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from glip.runtime.atomic import atomic_write

_BEST = re.compile(r'(?P<name>best_.+_(?:epoch|iter)_)(?P<step>\d+)\.pth')


class ValidatedSteps:
    """The steps of training after which a validation was done, in a file.

    Checkpoints cannot tell: they are written before the validation.

    Args:
        work_dir: Of the training.
    """

    def __init__(self, work_dir: str | Path) -> None:
        self._path = Path(work_dir, 'validated_steps')

    def read(self) -> set[int]:
        """All of them; what is no number is passed over."""
        if not self._path.is_file():
            return set()
        words = self._path.read_text(encoding='utf-8', errors='replace').split()
        return {int(word) for word in words if word.isdecimal()}

    def add(self, step: int) -> None:
        """Note one that is done, with all it has written."""
        self._write(self.read() | {step})

    def forget_after(self, step: int) -> None:
        """Forget those of a training that went further than the one that goes on."""
        steps = self.read()
        if any(known > step for known in steps):
            self._write({known for known in steps if known <= step})

    def _write(self, steps: set[int]) -> None:
        with atomic_write(self._path) as part:
            part.write_text('\n'.join(map(str, sorted(steps))), encoding='utf-8')


def clear_leftovers(folder: str | Path, best: Iterable[str]) -> None:
    """Remove checkpoints that were half written, and best ones that were replaced.

    Args:
        folder: Of the checkpoints; nothing is done where it is no local folder.
        best: The best checkpoints known.
    """
    if not Path(folder).is_dir():
        return
    for path in Path(folder).glob('.*.pth.part'):
        path.unlink(missing_ok=True)
    newest = {}
    for match in (_BEST.fullmatch(Path(path).name) for path in best):
        if match and Path(folder, match[0]).is_file():
            newest[match['name']] = int(match['step'])
    for path in Path(folder).glob('best_*.pth'):
        match = _BEST.fullmatch(path.name)
        if match and int(match['step']) < newest.get(match['name'], 0):
            path.unlink(missing_ok=True)
