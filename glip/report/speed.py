"""How fast pictures are read, prepared and searched, in pictures per second."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip.apis.loading import build_model, resolve_device
from glip.checkpoints import load_into
from glip.datasets.loader import build_dataloader
from glip.errors import ConfigError, DatasetError
from glip.evaluation.offline import build_dataset
from glip.models.cpu import use_cpu_kernels
from glip.report.tap import leaves
from glip.runtime.compiling import compile_for_inference
from glip.runtime.feature_cache import FeatureCache
from glip.runtime.measuring import clock, peak_memory

TASKS = ('inference', 'dataloader', 'dataset')

WriteLine = Callable[[str], None]


@dataclass
class Speed:
    """What one run measured.

    Attributes:
        unit: What is counted: ``img`` or ``batch``.
        seconds: Of each, without those of the warm-up.
        steps: Seconds by step of a pipeline, where they were taken apart.
    """

    unit: str
    seconds: list[float] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def per_second(self) -> float:
        """How many a second."""
        return len(self.seconds) / max(sum(self.seconds), 1e-12)

    def __str__(self) -> str:
        each = 1000 / self.per_second
        return (
            f'fps: {self.per_second:.1f} {self.unit}/s, '
            f'times per {self.unit}: {each:.1f} ms/{self.unit}'
        )


@dataclass(frozen=True)
class Plan:
    """How to measure; names and defaults are those of mmdet's flags.

    Attributes:
        max_iter: Pictures or batches in a run; fewer where the data has not as many.
        log_interval: After how many a line is written.
        num_warmup: How many at the beginning do not count.
    """

    max_iter: int = 2000
    log_interval: int = 50
    num_warmup: int = 5

    def __post_init__(self) -> None:
        if min(self.max_iter, self.log_interval) < 1 or self.num_warmup < 0:
            raise ConfigError(
                f'--max-iter {self.max_iter} and --log-interval {self.log_interval} '
                f'must be at least 1, --num-warmup {self.num_warmup} at least 0'
            )
        if self.max_iter <= self.num_warmup:
            raise ConfigError(
                f'--max-iter {self.max_iter} leaves nothing to measure after '
                f'--num-warmup {self.num_warmup}'
            )


def benchmark_inference(
    cfg: Config,
    checkpoint: str | None,
    plan: Plan,
    write_line: WriteLine,
    *,
    fuse_conv_bn: bool = False,
    device: str | None = None,
    compile: bool | Mapping[str, Any] = False,
) -> Speed:
    """Measure the model alone, pictures one by one; loading them is not in it.

    Args:
        cfg: With ``model`` and ``test_dataloader``.
        checkpoint: Weights; without, the model finds nothing, which may be faster.
        plan: How to measure.
        write_line: Given each line.
        fuse_conv_bn: Fold batch norms into convolutions.
        device: Defaults to the GPU, where there is one.
        compile: See :func:`glip.runtime.compiling.compile_for_inference`. Compiling
            falls into the first picture, which must not count.

    Raises:
        CheckpointError: The weights do not fit.
        ConfigError: There is no model or no test data, or ``compile`` is no option.
        DatasetError: The data is not usable, or too little.
    """
    cfg = cfg.copy()
    loader = _loader(cfg, 'test', batch_size=1)
    model = use_cpu_kernels(build_model(cfg))
    if checkpoint:
        load_into(model, checkpoint)
    if fuse_conv_bn:
        from mmcv.cnn.utils import fuse_conv_bn as fuse

        model = fuse(model)
    where = resolve_device(device)
    model = model.to(where).eval()
    cache = FeatureCache()  # words are encoded once, as in an evaluation
    model.reuse_features = False  # a picture that comes again counts as a new one
    compile_for_inference(model, compile)

    def runs() -> Iterator[float]:
        for data in loader:
            start = clock(where)
            with torch.no_grad(), cache.in_use():
                model.test_step(data)
            yield clock(where) - start

    speed = _measured(runs(), Speed('img'), plan, write_line)
    name = 'cuda memory' if where.type == 'cuda' else 'memory of the process'
    write_line(f'{name}: {peak_memory(where) or 0} MB')
    return speed


def benchmark_dataloader(
    cfg: Config, split: str, plan: Plan, write_line: WriteLine
) -> Speed:
    """Measure how fast batches come, with the config's loading processes.

    Args:
        cfg: With the data loader.
        split: ``train``, ``val`` or ``test``.
        plan: How to measure.
        write_line: Given each line.

    Raises:
        ConfigError: There is no such data loader.
        DatasetError: The data is not usable, or too little.
    """
    loader = _loader(cfg.copy(), split)
    workers = getattr(loader, 'num_workers', 0)
    batch = getattr(loader.batch_sampler, 'batch_size', None) or loader.batch_size or 1
    write_line(f'{split}: batches of {batch}, {workers} loading processes')

    def runs() -> Iterator[float]:
        start = time.perf_counter()
        for _ in loader:
            yield time.perf_counter() - start
            start = time.perf_counter()

    return _measured(runs(), Speed('batch'), plan, write_line)


def benchmark_dataset(
    cfg: Config, split: str, plan: Plan, write_line: WriteLine
) -> Speed:
    """Measure the steps of the pipeline one by one, in this process.

    Args:
        cfg: With the data loader.
        split: ``train``, ``val`` or ``test``.
        plan: How to measure.
        write_line: Given each line.

    Raises:
        ConfigError: There is no such data loader, or it is a stream.
        DatasetError: The data is not usable, or too little.
    """
    dataset = build_dataset(cfg.copy(), split)
    parts = [leaf for leaf in leaves(dataset) if leaf.transforms]
    if not parts or not hasattr(dataset, '__len__'):
        raise ConfigError(
            f'{type(dataset).__name__} lets nobody look into its pipeline: measure '
            'its data loader (--task dataloader)'
        )
    speed = Speed('img')
    order = [(leaf, i) for leaf in parts for i in range(len(leaf.dataset))]
    generator = torch.Generator().manual_seed(0)
    shuffled = torch.randperm(len(order), generator=generator).tolist()

    def runs() -> Iterator[float]:
        for number, place in enumerate(shuffled):
            leaf, index = order[place]
            steps: list[tuple[str, float]] = []
            start = before = time.perf_counter()
            data = leaf.dataset.get_data_info(index)
            for transform in (None, *leaf.transforms):
                if transform is not None and data is not None:
                    data = transform(data)
                name = (
                    'get_data_info' if transform is None else type(transform).__name__
                )
                now = time.perf_counter()
                steps.append((name, now - before))
                before = now
            if number >= plan.num_warmup:
                for name, seconds in steps:
                    speed.steps[name].append(seconds)
            yield time.perf_counter() - start

    with DefaultScope.overwrite_default_scope('glip'):
        _measured(runs(), speed, plan, write_line)
    for name, seconds in speed.steps.items():
        write_line(f'{name}: {1000 * statistics.mean(seconds):.2f} ms')
    return speed


def overall(speeds: list[Speed]) -> str:
    """The line that sums up one or several runs."""
    unit = speeds[0].unit
    rates = [round(speed.per_second, 1) for speed in speeds]
    times = [round(1000 / speed.per_second, 1) for speed in speeds]
    if len(speeds) == 1:
        return (
            f'Overall fps: {rates[0]:.1f} {unit}/s, '
            f'times per {unit}: {times[0]:.1f} ms/{unit}'
        )
    return (
        f'Overall fps: {rates}[{statistics.mean(rates):.1f}] {unit}/s, '
        f'times per {unit}: {times}[{statistics.mean(times):.1f}] ms/{unit}'
    )


def _loader(cfg: Config, split: str, batch_size: int | None = None) -> Any:
    """The data loader of a config, around its built data set."""
    dataset = build_dataset(cfg, split)
    config = dict(cfg[f'{split}_dataloader'], dataset=dataset)
    if batch_size is not None:
        config['batch_size'] = batch_size
    with DefaultScope.overwrite_default_scope('glip'):
        return build_dataloader(config, seed=0)


def _measured(
    runs: Iterator[float], speed: Speed, plan: Plan, write_line: WriteLine
) -> Speed:
    """Collect times and write how it goes."""
    for number, seconds in enumerate(runs, 1):
        if number > plan.num_warmup:
            speed.seconds.append(seconds)
            if number % plan.log_interval == 0:
                write_line(f'Done {speed.unit} [{number:<3}/{plan.max_iter}], {speed}')
        if number == plan.max_iter:
            break
    if not speed.seconds:
        raise DatasetError(
            f'the data has not more than the {plan.num_warmup} of the warm-up: lower '
            '--num-warmup'
        )
    return speed
