"""Pictures and captions by the million, from files that are read from end to end."""

from __future__ import annotations

import glob
import itertools
import math
import os
import random
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import IterableDataset, get_worker_info

from glip.datasets.broken_pictures import BrokenPictures
from glip.datasets.odvg import ODVGDataset
from glip.datasets.sample import Dropped, GroundingSample
from glip.datasets.seeding import derived_seed, drawn_with
from glip.errors import DatasetError, ImageError
from glip.received import parse_json
from glip.registry import DATASETS
from glip.runtime.reading import json_lines, warn

_REMOTE = ('://', 'pipe:')
_ENDLESS = 2**40
_RECENT = 500  # captions that are remembered
_REPORT = 10_000  # records after which a process says once what it left out


class SampleStream(IterableDataset):
    """Packed samples without number or end, an equal share for every loading process.

    An epoch is ``epoch_size`` samples of all processes together, or has no end. Which
    samples a process gives depends on the seed, the epoch, and its place among all
    processes. A training that is resumed goes on with an order of its own, as what
    was seen cannot be skipped without reading it.

    Args:
        epoch_size: Samples of an epoch; None for iteration-based training. Give a
            multiple of processes x loading processes x batch size, as each loading
            process makes batches of its share.
        seed: Of the order and of what transforms draw, the same in all processes.
    """

    def __init__(self, epoch_size: int | None = None, seed: int | None = None) -> None:
        super().__init__()
        self.epoch_size = epoch_size
        self.seed = sync_random_seed() if seed is None else seed
        self._epoch = self._start = 0
        self._passes = 0  # a loading process that persists counts by itself

    def set_epoch(self, epoch: int) -> None:
        """Give the samples of another epoch from the next pass on."""
        self._epoch = epoch

    def set_seed(self, seed: int) -> None:
        """Draw as a run with this seed does."""
        self.seed = seed

    def start_at(self, step: int) -> None:
        """Take an order that no earlier part of the training had."""
        self._start = step

    def __len__(self) -> int:
        """Samples of an epoch for one rank; where there is no end, a number as good."""
        if self.epoch_size is None:
            return _ENDLESS
        return math.ceil(self.epoch_size / get_dist_info()[1])

    def __iter__(self) -> Iterator[Any]:
        seed = derived_seed(self.seed, self._start, self._epoch, self._passes)
        self._passes += 1
        place, places = consumer()
        samples = self.packed(seed, place, places)
        if self.epoch_size is not None:
            share = len(range(place, self.epoch_size, places))
            samples = itertools.islice(samples, share)
        yield from samples

    def packed(self, seed: int, place: int, places: int) -> Iterator[Any]:
        """Samples without end for one of several consumers."""
        raise NotImplementedError


def consumer() -> tuple[int, int]:
    """Place of this loading process among those of all ranks, and their number."""
    rank, world_size = get_dist_info()
    worker = get_worker_info()
    number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
    return rank * workers + number, world_size * workers


@DATASETS.register_module()
class ODVGStream(SampleStream):
    """ODVG records from shards: tar files with the pictures, or jsonl beside a folder.

    Tar files hold ``<key>.jpg`` (or another kind of picture) and ``<key>.json`` with
    the record, as ``tools/dataset_converters/odvg2shards.py`` packs them; webdataset
    reads them. Nothing but the shuffle buffer is kept in memory. Shards are shared out
    over the processes; where there are fewer of them than processes, each process
    takes every n-th record instead.

    Args:
        shards: Paths or addresses, as pattern with braces (``x-{000000..000999}.tar``)
            or wildcards, or a list of such.
        pipeline: Transforms, the last of which packs.
        data_root: What relative paths start from.
        data_prefix: ``img``: folder of the pictures that jsonl shards name.
        label_map_file: Id -> class name, for detection records.
        min_score: Boxes whose teacher was less sure are left out.
        score_thr: Another name of ``min_score``.
        singular_score: See :class:`ODVGDataset`.
        weigh_by_score: See :class:`ODVGDataset`.
        filter_cfg: ``min_size`` and ``filter_empty_gt``, see :class:`ODVGDataset`.
        caption_prompt: See :class:`ODVGDataset`.
        shuffle: Records in the buffer that mixes their order; 0 keeps it.
        max_broken_images: How many pictures, records and shards may be unreadable.
        epoch_size: See :class:`SampleStream`.
        seed: See :class:`SampleStream`.

    Raises:
        DatasetError: webdataset is not installed, or a shard is missing.
    """

    def __init__(
        self,
        shards: str | Sequence[str],
        pipeline: Sequence[Any],
        *,
        data_root: str = '',
        data_prefix: Mapping[str, str] | None = None,
        label_map_file: str | None = None,
        min_score: float | None = None,
        singular_score: float | None = None,
        score_thr: float = 0.0,
        weigh_by_score: bool = False,
        filter_cfg: Mapping[str, Any] | None = None,
        caption_prompt: Mapping[str, Any] | None = None,
        shuffle: int = 1000,
        max_broken_images: int = 1000,
        epoch_size: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(epoch_size, seed)
        self.shards = _existing_shards(shards, data_root)
        self.shuffle = shuffle
        self.pipeline = Compose(list(pipeline))
        source = self.shards[0] if len(self.shards) == 1 else f'{self.shards[0]}, ...'
        # Knows how to read a record; its own annotation file is never opened.
        self._reader = ODVGDataset(
            ann_file=source,
            data_root=data_root,
            data_prefix=dict(data_prefix or {'img': ''}),
            label_map_file=label_map_file,
            min_score=min_score,
            singular_score=singular_score,
            score_thr=score_thr,
            weigh_by_score=weigh_by_score,
            filter_cfg=dict(filter_cfg) if filter_cfg else None,
            caption_prompt=caption_prompt,
            pipeline=[],
            lazy_init=True,
        )
        self._reader.ann_file = source
        self._reader.dropped = Dropped(source)
        self._reader.read_names()
        self.broken = BrokenPictures(source, max_broken_images)

    @property
    def metainfo(self) -> dict[str, Any]:
        """``classes``, those of the label map."""
        return {'classes': self._reader.names}

    def packed(self, seed: int, place: int, places: int) -> Iterator[Any]:
        """Run the pipeline on one record after the other, each with its own seed."""
        # What transforms that want other captions draw from, in place of all of them.
        recent: deque[tuple[str, str]] = deque(maxlen=_RECENT)
        for number, (where, record, content) in enumerate(
            self._records(seed, place, places)
        ):
            with drawn_with(derived_seed(seed, zlib.crc32(where.encode()), number)):
                sample = self._prepared(where, record, content, recent)
            if number == _REPORT and self._reader.dropped:
                warn(self._reader.dropped.summary())
            if sample is not None:
                yield sample

    def _prepared(
        self,
        where: str,
        record: Any,
        content: bytes | None,
        recent: deque[tuple[str, str]],
    ) -> Any:
        """The packed sample, or None where it cannot be used."""
        try:
            if not isinstance(record, Mapping):
                raise DatasetError(f'{where}: no record in braces')
            sample = self._reader.sample_of(record, where)
            if content is None and not self._reader.is_inside(sample.file_name):
                raise DatasetError(
                    f'{where}: the picture {sample.file_name!r:.80} is outside the '
                    'picture folder and is not read'
                )
            if not self._reader.is_wanted(sample):
                return None
            results = self._reader.record_of(sample, len(recent))
            if isinstance(sample, GroundingSample):
                current = (sample.file_name, sample.caption)
                results['captions'] = [*recent, current]
                recent.append(current)
            if content is not None:
                results['img_path'] = f'{where}/{sample.file_name}'
                results['img_bytes'] = content
            return self.pipeline(results)
        except (ImageError, DatasetError) as error:
            self._skip(str(error))
            return None

    def _skip(self, message: str) -> None:
        # A stream does not know how much there is: the limit alone counts.
        self.broken.add(message, self.broken.limit + 2)

    def _records(
        self, seed: int, place: int, places: int
    ) -> Iterator[tuple[str, Any, bytes | None]]:
        """Place, record and picture of everything, over and over."""
        few = len(self.shards) < places
        for turn in itertools.count():
            shards = list(self.shards)
            if self.shuffle:
                np.random.default_rng([seed, turn]).shuffle(shards)
            records: Iterator[Any] = itertools.chain.from_iterable(
                map(self._read, shards if few else shards[place::places])
            )
            if few:
                records = itertools.islice(records, place, None, places)
            if self.shuffle:
                rng = random.Random(derived_seed(seed, turn, place))
                records = _shuffled(records, self.shuffle, rng)
            first = next(records, None)
            if first is None:
                raise DatasetError(
                    f'{self._reader.ann_file}: no record can be read from '
                    f'{len(self.shards)} shards in loading process {place + 1} of '
                    f'{places}'
                )
            yield first
            yield from records

    def _read(self, shard: str) -> Iterator[tuple[str, Any, bytes | None]]:
        """Everything of one shard; one that breaks off ends there."""
        if shard.endswith(('.jsonl', '.json')):
            for number, record in json_lines(shard, skip=self._skip):
                yield f'{shard}, line {number}', record, None
            return
        for entry in tar_samples(shard, self._broken_off):
            where = f'{shard}: {entry.get("__key__")}'
            pictures = [
                v for k, v in entry.items() if k != 'json' and not k.startswith('__')
            ]
            if 'json' not in entry or len(pictures) != 1:
                self._skip(f'{where}: needs one picture and one .json')
                continue
            try:
                record = parse_json(entry['json'])
            except ValueError as error:
                self._skip(f'{where}: not JSON ({error})')
                continue
            yield where, record, pictures[0]

    def _broken_off(self, message: str) -> None:
        self._skip(f'shard cannot be read further: {message}')


def tar_samples(
    path: str,
    broken: Callable[[str], Any],
    select: Callable[[str], bool] | None = None,
) -> Iterator[dict[str, Any]]:
    """Members of a tar file that have the same name up to the ending, together.

    Args:
        path: File or address.
        broken: Told where it cannot be read further.
        select: Whether to take a member, by its name; by default all.

    Yields:
        Ending in lower case -> content, and ``__key__``, the name they share.
    """

    def handle(error: Exception) -> bool:
        # webdataset puts stream and address behind what went wrong.
        reason = str(error.args[0]) if error.args else type(error).__name__
        broken(reason.partition(' @ ')[0])
        return True

    return _webdataset().tarfile_samples([{'url': path}], handle, select)


def local_shards(shards: str | Sequence[str], root: str = '') -> tuple[str, ...]:
    """Files on this machine that patterns stand for.

    Raises:
        DatasetError: One is missing, or is an address.
    """
    files = _existing_shards(shards, root)
    remote = [name for name in files if any(mark in name for mark in _REMOTE)]
    if remote:
        raise DatasetError(f'{remote[0]}: only files of this machine can be taken here')
    return files


def _webdataset() -> Any:
    try:
        from webdataset import tariterators
    except ImportError as error:
        raise DatasetError(
            'tar shards are read by webdataset, which is not installed: '
            "pip install webdataset (or glip's extra 'stream')"
        ) from error
    return tariterators


def _shuffled(records: Iterator[Any], size: int, rng: random.Random) -> Iterator[Any]:
    """Mix the order in a buffer that is filled before anything is given."""
    buffer = list(itertools.islice(records, size))
    for record in records:
        i = rng.randrange(len(buffer))
        buffer[i], record = record, buffer[i]
        yield record
    rng.shuffle(buffer)
    yield from buffer


def _existing_shards(shards: str | Sequence[str], root: str) -> tuple[str, ...]:
    """Every shard, those on this machine checked to be there."""
    patterns = [shards] if isinstance(shards, str) else list(shards)
    files: list[str] = []
    for pattern in patterns:
        remote = any(mark in pattern for mark in _REMOTE)
        if root and not remote:
            pattern = os.path.join(root, pattern)
        for name in _expanded(pattern):
            if remote:
                files.append(name)
                continue
            paths = sorted(glob.glob(name)) if glob.has_magic(name) else [name]
            missing = [path for path in paths if not os.path.isfile(path)]
            if missing or not paths:
                raise DatasetError(
                    f'shard not found: {os.path.abspath((missing or [name])[0])} (of '
                    f'shards={pattern!r}; odvg2shards.py makes them)'
                )
            files += paths
    if not files:
        raise DatasetError('shards is empty: name at least one tar or jsonl file')
    if not all(name.endswith(('.jsonl', '.json')) for name in files):
        _webdataset()
    return tuple(files)


def _expanded(pattern: str) -> list[str]:
    """A pattern with braces as all its names."""
    if '{' not in pattern:
        return [pattern]
    _webdataset()
    from braceexpand import UnbalancedBracesError, braceexpand

    try:
        return list(braceexpand(pattern))
    except UnbalancedBracesError as error:
        raise DatasetError(f'shards={pattern!r}: {error}') from error
