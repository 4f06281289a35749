"""How fast pictures are read, prepared and searched, in pictures per second."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
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
    """Seconds of each ``img`` or ``batch`` of a run, the warm-up left out."""

    unit: str
    seconds: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Units a second."""
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


class SpeedTest:
    """Measures what a config describes.

    Each method raises a ``ConfigError`` where the config has no model or no such data
    loader, and a ``DatasetError`` where the data is not usable, or too little.

    Args:
        cfg: With ``model`` and the data loaders.
        plan: How to measure.
        write_line: Given each line.
    """

    def __init__(self, cfg: Config, plan: Plan, write_line: WriteLine) -> None:
        self.cfg = cfg
        self.plan = plan
        self.write_line = write_line

    def inference(
        self,
        checkpoint: str | None,
        *,
        fuse_conv_bn: bool = False,
        device: str | None = None,
        compile: bool | Mapping[str, Any] = False,
    ) -> Speed:
        """Measure the model alone, pictures one by one; loading them is not in it.

        Args:
            checkpoint: Weights; without, the model finds nothing, which may be faster.
            fuse_conv_bn: Fold batch norms into convolutions.
            device: Defaults to the GPU, where there is one.
            compile: See :func:`glip.runtime.compiling.compile_for_inference`. Compiling
                falls into the first picture, which must not count.

        Raises:
            CheckpointError: The weights do not fit.
            ConfigError: ``compile`` is no option.
        """
        loader = self._loader('test', batch_size=1)
        model = use_cpu_kernels(build_model(self.cfg.copy()))
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

        speed = self._measured(runs(), 'img')
        name = 'cuda memory' if where.type == 'cuda' else 'memory of the process'
        self.write_line(f'{name}: {peak_memory(where) or 0} MB')
        return speed

    def dataloader(self, split: str) -> Speed:
        """Measure how fast batches of a split come, with the config's processes."""
        loader = self._loader(split)
        workers = getattr(loader, 'num_workers', 0)
        sampler = loader.batch_sampler
        batch = getattr(sampler, 'batch_size', None) or loader.batch_size or 1
        self.write_line(f'{split}: batches of {batch}, {workers} loading processes')

        def runs() -> Iterator[float]:
            start = time.perf_counter()
            for _ in loader:
                yield time.perf_counter() - start
                start = time.perf_counter()

        return self._measured(runs(), 'batch')

    def dataset(self, split: str) -> Speed:
        """Measure the steps of a split's pipeline one by one, in this process.

        Raises:
            ConfigError: It is a stream.
        """
        dataset = build_dataset(self.cfg.copy(), split)
        parts = [leaf for leaf in leaves(dataset) if leaf.transforms]
        if not parts or not hasattr(dataset, '__len__'):
            raise ConfigError(
                f'{type(dataset).__name__} lets nobody look into its pipeline: measure '
                'its data loader (--task dataloader)'
            )
        samples = [(leaf, i) for leaf in parts for i in range(len(leaf.dataset))]
        generator = torch.Generator().manual_seed(0)
        shuffled = torch.randperm(len(samples), generator=generator).tolist()

        steps: dict[str, list[float]] = defaultdict(list)

        def runs() -> Iterator[float]:
            for number, (leaf, data) in enumerate(samples[i] for i in shuffled):
                start = before = time.perf_counter()
                for step in (leaf.dataset.get_data_info, *leaf.transforms):
                    data = None if data is None else step(data)
                    now = time.perf_counter()
                    if number >= self.plan.num_warmup:
                        name = getattr(step, '__name__', type(step).__name__)
                        steps[name].append(now - before)
                    before = now
                yield time.perf_counter() - start

        with DefaultScope.overwrite_default_scope('glip'):
            speed = self._measured(runs(), 'img')
        for name, seconds in steps.items():
            self.write_line(f'{name}: {1000 * statistics.mean(seconds):.2f} ms')
        return speed

    def _loader(self, split: str, batch_size: int | None = None) -> Any:
        cfg = self.cfg.copy()
        dataset = build_dataset(cfg, split)
        config = dict(cfg[f'{split}_dataloader'], dataset=dataset)
        if batch_size is not None:
            config['batch_size'] = batch_size
        with DefaultScope.overwrite_default_scope('glip'):
            return build_dataloader(config, seed=0)

    def _measured(self, runs: Iterator[float], unit: str) -> Speed:
        """Collect times and write how it goes."""
        plan, speed = self.plan, Speed(unit)
        for number, seconds in enumerate(islice(runs, plan.max_iter), 1):
            if number > plan.num_warmup:
                speed.seconds.append(seconds)
                if number % plan.log_interval == 0:
                    done = f'[{number:<3}/{plan.max_iter}]'
                    self.write_line(f'Done {speed.unit} {done}, {speed}')
        if not speed.seconds:
            raise DatasetError(
                f'the data has not more than the {plan.num_warmup} of the warm-up: '
                'lower --num-warmup'
            )
        return speed


def overall(speeds: list[Speed]) -> str:
    """The line that sums up one or several runs."""
    unit = speeds[0].unit
    rates = [round(speed.per_second, 1) for speed in speeds]
    times = [round(1000 / speed.per_second, 1) for speed in speeds]
    rate, each = (
        f'{values}[{statistics.mean(values):.1f}]' if len(speeds) > 1 else values[0]
        for values in (rates, times)
    )
    return f'Overall fps: {rate} {unit}/s, times per {unit}: {each} ms/{unit}'
