"""From a source of captions to records with boxes, in any number of processes."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log

from glip.apis import load
from glip.datasets.converters.output import atomic_text, compact_json
from glip.engine.identity import digest_of_values, digest_of_weights
from glip.errors import ConfigError, DatasetError
from glip.runtime.reading import read_json
from glip.teach.pseudo_labels.items import Item, Share, Source
from glip.teach.pseudo_labels.labeller import Labelled, Labeller, read_picture
from glip.teach.pseudo_labels.page import write_page
from glip.teach.pseudo_labels.progress import Progress
from glip.teach.pseudo_labels.results import join, write_result
from glip.teach.pseudo_labels.screens import Screens
from glip.teach.pseudo_labels.sources import open_source
from glip.teach.pseudo_labels.statistics import Statistics, drawn_of_each
from glip.teach.pseudo_labels.workspace import Lines, Workspace, disk_errors
from glip.text import TextPrompt, parse_text

PathLike = str | os.PathLike[str]
_PROBED = 16  # pictures looked for before a wrong folder is reported
_PAUSE = 0.5  # seconds between two looks at shares that others are at


@dataclass(frozen=True)
class Labels:
    """What a labelling wrote.

    Attributes:
        records: The ``.jsonl`` that ``ODVGDataset`` takes as ``ann_file``, or the
            pattern of tar files that ``ODVGStream`` takes as ``shards``.
        data_root: Folder that the file names in the records start from; '' for tar
            files, which hold their pictures.
        label_map: Names of the classes, where there are any; ``label_map_file``.
        summary: The content of ``summary.json``.
    """

    records: str
    data_root: str
    label_map: str | None
    summary: Mapping[str, Any]


def label(
    config: PathLike | Config,
    weights: PathLike | None,
    captions: PathLike | Sequence[PathLike],
    out: PathLike,
    *,
    data_root: PathLike | None = None,
    classes: Sequence[str] | Mapping[str, str] | None = None,
    screens: Screens | None = None,
    to_shards: bool | None = None,
    shard_size: int = 1000,
    batch_size: int = 4,
    seed: int = 0,
    limit: int | None = None,
    device: str | None = None,
    amp: bool | str = False,
) -> Labels:
    """Label pictures by a teacher; the same call goes on with what was interrupted.

    Any number of processes may do so at once, on any machines that see the folder:
    each takes shares that no other is at, and returns when all of them are done. What
    is written does not depend on how many there are nor on which of them were killed.

    Args:
        config: Config of the teacher, or a zoo name.
        weights: Its checkpoint; None for that of the zoo name.
        captions: COCO captions JSON, jsonl of ``image`` and ``caption``, a folder with
            ``.txt`` beside the pictures, or tar files; of the last and of jsonl also a
            pattern or a list.
        out: Folder of the results: ``labels-*.jsonl`` (or ``.tar``), one of each
            share, ``labels.jsonl`` with all of them, ``label_map.json`` where there
            are classes, ``summary.json`` and ``summary.html``.
        data_root: Folder that the pictures' names start from, by default that of the
            file. Pictures elsewhere are not taken.
        classes: For pictures without captions, class names or {prompt: class}.
        screens: Limits that boxes have to pass; None for those of :class:`Screens`.
        to_shards: Write tar files with the pictures; None does so for tar files.
        shard_size: Pictures (lines of a jsonl) of a share; a tar file is one.
        batch_size: Pictures that are read ahead.
        seed: Of the pictures on the page.
        limit: Label no more pictures (lines of a jsonl) than this.
        device: Of the teacher; by default a GPU of its own for each local rank.
        amp: Half precision, as :func:`glip.load` takes it.

    Returns:
        Where the records are, and the summary.

    Raises:
        DatasetError: The source cannot be used, nothing in it can be labelled, or the
            results cannot be written.
        ConfigError: An option makes no sense, the folder has other labels, or the
            teacher cannot be built.
        CheckpointError: The weights are not those of the config.
    """
    if min(shard_size, batch_size, 1 if limit is None else limit) < 1:
        raise ConfigError(
            f'shard_size={shard_size}, batch_size={batch_size}, limit={limit}: all '
            'must be at least 1'
        )
    screens = screens or Screens()
    prompt = None if classes is None else _class_prompt(classes)
    source = open_source(
        captions, data_root=data_root, shard_size=shard_size, limit=limit
    )
    _probe(source)
    if to_shards is None:
        to_shards = source.holds_pictures
    if source.holds_pictures and not to_shards:
        raise ConfigError('pictures of tar files are in no folder: to_shards is needed')
    workspace = Workspace(Path(out), '.tar' if to_shards else '.jsonl')
    detector = load(config, weights, device or _device_of_rank(), amp=amp)
    settings = {
        'captions': source.digest,
        'teacher_weights': digest_of_weights(detector.model),
        'teacher_config': digest_of_values(
            [detector.cfg.model.to_dict(), detector.cfg.get('test_pipeline')]
        ),
        'precision': str(detector.precision or 'float32'),
        'classes': None if prompt is None else [prompt.caption, *prompt.names],
        'screens': asdict(screens),
        'shard_size': shard_size,
        'seed': seed,
        'limit': limit,
        'to_shards': to_shards,
    }
    labels = _Labelling(workspace, source, prompt, settings)
    if not workspace.claim(settings):
        labels.work(Labeller(detector, screens, prompt), batch_size)
    workspace.clean()
    return Labels(
        workspace.pattern if to_shards else str(workspace.joined),
        source.folder,
        None if prompt is None else str(workspace.label_map),
        read_json(str(workspace.summary)),
    )


class _Labelling:
    """All shares of a source, of which this process does those that nobody else does.

    Args:
        workspace: Where results go.
        source: Where pictures come from.
        classes: What pictures without captions are asked for.
        settings: All that the results depend on.
    """

    def __init__(
        self,
        workspace: Workspace,
        source: Source,
        classes: TextPrompt | None,
        settings: Mapping[str, Any],
    ) -> None:
        self.workspace = workspace
        self.source = source
        self.classes = classes
        self.settings = settings

    def work(self, labeller: Labeller, batch_size: int) -> None:
        """Return when every share is done, by whomever."""
        shares = self.source.shares
        rank, world_size = _rank()
        # Ranks begin far from each other, so that they seldom ask for the same share.
        first = rank * len(shares) // world_size
        pending = [*shares[first:], *shares[:first]]
        with Progress(self.source, shown=rank == 0) as progress:
            while not self.workspace.summary.is_file():
                worked = False
                for share in list(pending):
                    if self.workspace.is_done(share.number):
                        pending.remove(share)
                        progress.finish(share)
                        continue
                    with self.workspace.locked(share.number, wait=False) as is_mine:
                        if is_mine and not self.workspace.is_done(share.number):
                            self._do(share, labeller, batch_size, progress)
                            worked = True
                if not pending:
                    self._finish()
                elif not worked:
                    time.sleep(_PAUSE)

    def _do(
        self, share: Share, labeller: Labeller, batch_size: int, progress: Progress
    ) -> None:
        """Label a share from where its lines end, and write its results."""
        folder = self.workspace.folder
        with disk_errors(folder):
            lines = self.workspace.lines(share.number)
        try:
            items = self.source.items(share)
            for item in islice(items, lines.count):
                progress.pass_over(share, item.weight)
            for item, pixels in _read_ahead(items, batch_size):
                labelled = labeller.label(item, pixels)
                with disk_errors(folder):
                    lines.add(vars(labelled))
                progress.add(share, item, labelled)
            self._write(share, lines)
            lines.remove()
        finally:
            lines.close()

    def _write(self, share: Share, lines: Lines) -> None:
        """Results of a share, and behind them its statistics."""
        statistics = Statistics()
        seed, drawn = self.settings['seed'], drawn_of_each(len(self.source.shares))
        for number, line in enumerate(lines):
            labelled = _labelled(line)
            statistics.add(
                labelled, share=share.number, number=number, seed=seed, drawn=drawn
            )
        write_result(
            self.workspace.result(share.number),
            self.source,
            share,
            (_labelled(line).records for line in lines),
        )
        with atomic_text(self.workspace.statistics(share.number)) as file:
            file.write(statistics.to_json())

    def _finish(self) -> None:
        """What is made of all shares together, by the first process that comes."""
        workspace = self.workspace
        with workspace.locked('finish') as is_mine:
            if not is_mine:
                return
            workspace.sweep()
            total = Statistics()
            for share in self.source.shares:
                fields = read_json(str(workspace.statistics(share.number)))
                total.merge(Statistics.from_json(fields))
            if not total.counts['records']:
                raise DatasetError(
                    f'no label in {total.counts["pictures"]} pictures; '
                    f'{total.dropped_in_words() or "the teacher has no box for them"}; '
                    f'boxes stopped by screens: {dict(total.stopped) or "none"}'
                )
            if workspace.suffix == '.jsonl':
                numbers = [share.number for share in self.source.shares]
                join(workspace.joined, map(workspace.result, numbers))
            if self.classes is not None:
                with atomic_text(workspace.label_map) as file:
                    names = dict.fromkeys(self.classes.names)
                    file.write(compact_json(dict(enumerate(names))) + '\n')
            summary = total.summary() | {'settings': self.settings}
            write_page(workspace.folder, self.source, total.drawn, summary)
            with atomic_text(workspace.summary) as file:
                file.write(json.dumps(summary, indent=1) + '\n')
            if total.dropped:
                print_log(f'left out: {total.dropped_in_words()}', logger='current')


def _probe(source: Source) -> None:
    """Tell a wrong folder from single missing pictures before the work begins.

    Raises:
        DatasetError: None of the first pictures is there.
    """
    items = chain.from_iterable(map(source.items, source.shares))
    paths = (item.picture for item in items if isinstance(item.picture, str))
    first = list(islice(paths, _PROBED)) if source.folder else []
    if first and not any(map(os.path.exists, first)):
        raise DatasetError(
            f'none of the first {len(first)} pictures is there (looked for '
            f'{first[-1]}); name the folder of the pictures as data root'
        )


def _labelled(line: Mapping[str, Any]) -> Labelled:
    """A line as it was written."""
    notes = [(reason, where) for reason, where in line['notes']]
    return Labelled(line['records'], line['absent'], notes, Counter(line['stopped']))


def _read_ahead(items: Iterator[Item], count: int) -> Iterator[tuple[Item, Any]]:
    """Items with their pixels, of which some are read while others are labelled."""
    with ThreadPoolExecutor(min(count, os.cpu_count() or 1)) as pool:
        waiting = []
        for item in items:
            waiting.append((item, pool.submit(read_picture, item)))
            if len(waiting) > count:
                first, pixels = waiting.pop(0)
                yield first, pixels.result()
        for first, pixels in waiting:
            yield first, pixels.result()


def _class_prompt(classes: Sequence[str] | Mapping[str, str]) -> TextPrompt:
    """Classes as one prompt."""
    if isinstance(classes, str):
        classes = [classes]
    if not isinstance(classes, Mapping):
        classes = list(dict.fromkeys(classes))
    return parse_text(classes)


def _rank() -> tuple[int, int]:
    """Number of this process and of all that torchrun started."""
    return int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))


def _device_of_rank() -> str | None:
    """A GPU for each process of a machine."""
    count = torch.cuda.device_count()
    if not count or 'LOCAL_RANK' not in os.environ:
        return None
    return f'cuda:{int(os.environ["LOCAL_RANK"]) % count}'
