"""At the end, the pictures that training could not read."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from glip.datasets.broken_pictures import BrokenPictures
from glip.registry import HOOKS
from glip.runtime.atomic import atomic_write
from glip.runtime.leaves import iter_leaves

FILE = 'broken_pictures.txt'


@HOOKS.register_module()
class BrokenPicturesHook(Hook):
    """List what the data sets skipped in ``work_dir/broken_pictures.txt``.

    One picture a line and why, of all processes; the log says how many. Nothing is
    written where every picture could be read. Pictures of a validation are listed with
    those of the training, and named after each validation.
    """

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Say what the result is without."""
        messages = _gathered(_messages(runner.val_dataloader))
        if messages:
            runner.logger.warning(
                f'{len(messages)} pictures of the validation could not be read, so '
                f'what is in them counts as missed; the first: {messages[0]}'
            )

    def after_train(self, runner: Runner) -> None:
        """Gather, write and say."""
        _write(runner, _gathered(_of_run(runner)))


def list_broken_pictures(runner: Runner) -> None:
    """Write the list of this process alone, where training ends with an error."""
    _write(runner, sorted(set(_of_run(runner))))


def _gathered(messages: list[str]) -> list[str]:
    """Those of all processes, in the first one."""
    of_all = all_gather_object(messages)
    return sorted(set(chain.from_iterable(of_all))) if is_main_process() else []


def _of_run(runner: Runner) -> list[str]:
    """Of training and validation."""
    # An error may have come before there was a loader; building one would repeat it.
    loops = (runner._train_loop, runner._val_loop)
    loaders = (getattr(loop, 'dataloader', None) for loop in loops)
    return [m for loader in loaders if loader is not None for m in _messages(loader)]


def _messages(loader: Any) -> list[str]:
    lists = (getattr(leaf, 'broken', None) for leaf in iter_leaves(loader.dataset))
    return [
        message
        for broken in lists
        if isinstance(broken, BrokenPictures)
        for message in broken.messages()
    ]


def _write(runner: Runner, messages: list[str]) -> None:
    if not messages:
        return
    path = Path(runner.work_dir) / FILE
    with atomic_write(path) as part:
        part.write_text('\n'.join(messages) + '\n', encoding='utf-8')
    runner.logger.warning(
        f'{len(messages)} pictures could not be read and were skipped; they are listed '
        f'in {path}'
    )
