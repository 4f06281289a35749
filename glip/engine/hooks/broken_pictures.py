"""At the end, the pictures that training could not read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from glip.datasets.broken_pictures import BrokenPictures
from glip.registry import HOOKS

FILE = 'broken_pictures.txt'


@HOOKS.register_module()
class BrokenPicturesHook(Hook):
    """List what the data sets skipped in ``work_dir/broken_pictures.txt``.

    One picture a line and why, of all processes; the log says how many. Nothing is
    written where every picture could be read.
    """

    def after_train(self, runner: Runner) -> None:
        """Gather, write and say."""
        of_all = all_gather_object(_messages(runner.train_dataloader))
        messages = sorted({message for part in of_all for message in part})
        if messages and is_main_process():
            _write(runner, messages)


def list_broken_pictures(runner: Runner) -> None:
    """Write the list of this process alone, where training ends with an error."""
    # The error may have come before there was a loader; building one would repeat it.
    loader = getattr(runner._train_loop, 'dataloader', None)
    messages = [] if loader is None else _messages(loader)
    if messages:
        _write(runner, sorted(set(messages)))


def _messages(loader: Any) -> list[str]:
    return [m for broken in _lists(loader.dataset) for m in broken.messages()]


def _write(runner: Runner, messages: list[str]) -> None:
    path = Path(runner.work_dir) / FILE
    path.write_text('\n'.join(messages) + '\n', encoding='utf-8')
    runner.logger.warning(
        f'{len(messages)} pictures could not be read and were skipped; they are listed '
        f'in {path}'
    )


def _lists(dataset: Any) -> Iterator[BrokenPictures]:
    """The lists of a data set, or of those that it wraps or mixes."""
    broken = getattr(dataset, 'broken', None)
    if isinstance(broken, BrokenPictures):
        yield broken
        return
    parts = list(getattr(dataset, 'datasets', ()))
    inner = getattr(dataset, 'dataset', None)
    for part in parts if inner is None else [*parts, inner]:
        yield from _lists(part)
