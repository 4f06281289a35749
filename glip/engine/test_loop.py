"""An evaluation that can be stopped at any moment and goes on where it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, get_dist_info
from mmengine.logging import print_log
from mmengine.runner import TestLoop as _TestLoop

from glip.datasets.samplers import ResumableBatchSampler
from glip.engine.identity import difference, identity_of
from glip.engine.spool import Identity, Spool, delete_spool, read_spool
from glip.errors import ConfigError
from glip.evaluation.checking import check_evaluator
from glip.registry import LOOPS
from glip.runtime.compiling import compile_for_inference, compile_options
from glip.runtime.feature_cache import FeatureCache
from glip.runtime.lock import only_run
from glip.runtime.plain_records import NotPlainError
from glip.runtime.precision import autocasting, half_precision
from glip.runtime.processes import of_first, unwrapped
from glip.runtime.progress import progress_bar

# Below work_dir; the files in it are as large as the detections that are kept.
SPOOL_FOLDER = 'unfinished_test'


@LOOPS.register_module()
class TestLoop(_TestLoop):
    """mmengine's loop, which keeps on disk what the metrics have taken so far.

    After every batch each process appends to a file below ``work_dir`` what each
    metric has added to its ``results``; of a picture nothing else stays in memory.
    (A loader without a sampler is gone through as mmengine's loop does.)
    With ``resume`` an evaluation that was stopped, even by a kill, goes on with the
    pictures that are missing, and so ends as if it had not been stopped. Batch size,
    workers and processes may be others than before.

    Args:
        runner: A runner.
        dataloader: A data loader, or its config.
        evaluator: An evaluator, or the config of its metrics, which keep what they
            need of a picture in ``results`` and nowhere else.
        fp16: Evaluate in float16; mmengine's name of ``amp='fp16'``.
        amp: Evaluate in half precision, see
            :func:`glip.runtime.precision.half_precision`.
        compile: Evaluate compiled: True, or arguments of ``torch.compile``, see
            :func:`glip.runtime.compiling.compile_for_inference`.
        resume: Go on with an evaluation in the same work directory.
        prompt: What a tuning mode has trained, which the runner loads with the weights,
            see :func:`glip.checkpoints.load_tuned`.

    Raises:
        ConfigError: The evaluator does not fit the data set. By ``run``: what is to be
            resumed was of another checkpoint, model config, data set or evaluator, or
            is still running.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: Any,
        evaluator: Any,
        fp16: bool = False,
        resume: bool = False,
        amp: bool | str = False,
        compile: bool | Mapping[str, Any] = False,
        prompt: str | None = None,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        check_evaluator(self.evaluator, self.dataloader.dataset)
        self.precision = half_precision('fp16' if fp16 else amp)
        compile_options(compile)  # reported before the weights are read
        self.compile = compile
        self.resume = resume
        self.prompt = prompt
        self._spool: Spool | None = None
        self._results: dict[int, list[list[Any]]] = {}
        self._indices: list[int] = []

    def run(self) -> dict[str, float]:
        """Evaluate all pictures, or those that are missing.

        Returns:
            The results by name.
        """
        compile_for_inference(unwrapped(self.runner.model), self.compile)
        with FeatureCache().in_use():
            return self._run()

    def _run(self) -> dict[str, float]:
        sampler = getattr(self.dataloader, 'batch_sampler', None)
        if not isinstance(sampler, ResumableBatchSampler):
            if self.resume:
                raise ConfigError(
                    '--resume needs a data loader with a sampler, built from a config '
                    'with sampler=dict(...)'
                )
            return super().run()
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self.runner.model.eval()
        _say_threads()
        batches = self._batches()
        indices = [index for batch in batches for index in batch]
        with self._spooled(indices):
            missing = [_without(batch, self._results) for batch in batches]
            self._evaluate([batch for batch in missing if batch], len(set(indices)))
            self._hand_over()
            # Within, as what is kept outlives a failure of the metrics, too.
            metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        self.runner.call_hook('after_test_epoch', metrics=metrics)
        self.runner.call_hook('after_test')
        return metrics

    def _batches(self) -> list[list[int]]:
        """Numbers of the pictures of this process, each once."""
        seen: dict[int, None] = {}
        chosen = []
        for batch in self.dataloader.batch_sampler:
            chosen.append(_without(batch, seen))
            seen.update(dict.fromkeys(batch))
        return chosen

    def _evaluate(self, batches: list[list[int]], total: int) -> None:
        """Run the model on batches of the data set."""
        sampler = self.dataloader.batch_sampler
        original = sampler.batch_sampler
        sampler.batch_sampler = batches
        done = total - sum(map(len, batches))
        rank, processes = get_dist_info()
        bar = progress_bar(
            desc='evaluating' if processes == 1 else f'evaluating, 1 of {processes}',
            total=total,
            initial=done,
            unit='picture',
            disable=rank != 0,
        )
        try:
            with bar:
                for number, data_batch in enumerate(self.dataloader):
                    self._indices = batches[number]
                    self.run_iter(number, data_batch)
                    bar.update(len(batches[number]))
        finally:
            sampler.batch_sampler = original
            self._indices = []

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: Mapping[str, Sequence[Any]]) -> None:
        """Evaluate one batch."""
        self.runner.call_hook('before_test_iter', batch_idx=idx, data_batch=data_batch)
        device = next(self.runner.model.parameters()).device
        with autocasting(device, self.precision):
            outputs = self.runner.model.test_step(data_batch)
        self._process(outputs, data_batch)
        self.runner.call_hook(
            'after_test_iter', batch_idx=idx, data_batch=data_batch, outputs=outputs
        )

    def _process(self, outputs: Sequence[Any], data_batch: Any) -> None:
        """Show pictures to the metrics one by one and keep what each adds."""
        if not self._indices:  # a loader that does not tell which pictures they are
            self.evaluator.process(outputs, data_batch)
            return
        results = {}
        for i, (index, output) in enumerate(zip(self._indices, outputs, strict=True)):
            self.evaluator.process([output], _one(data_batch, i, len(outputs)))
            results[int(index)] = [list(m.results) for m in self.evaluator.metrics]
            for metric in self.evaluator.metrics:
                metric.results.clear()
        self._results.update(results)
        if self._spool is not None:
            try:
                self._spool.add(results)
            except (OSError, NotPlainError) as error:
                self._spool = None
                _warn_of_disk(error)

    def _hand_over(self) -> None:
        """Give the metrics their results in the order of the sampler."""
        order = [int(i) for i in self.dataloader.batch_sampler.sampler]
        kept = [self._results[index] for index in order if index in self._results]
        for place, metric in enumerate(self.evaluator.metrics):
            metric.results[:] = [entry for results in kept for entry in results[place]]
        self._results = {}

    @contextmanager
    def _spooled(self, indices: Sequence[int]) -> Iterator[None]:
        """Open the files on disk, and read those of the evaluation to resume."""
        folder = Path(self.runner.work_dir, SPOOL_FOLDER)
        rank, _ = get_dist_info()
        with only_run(folder.parent, 'evaluation'):
            identity, problem = of_first(lambda: self._prepare(folder))
            if problem is not None:
                raise ConfigError(problem)
            if self.resume:
                _, self._results = read_spool(folder, indices)
            barrier()  # nobody writes while others read
            try:
                self._spool = Spool(folder, rank, identity, resume=self.resume)
            except OSError as error:
                _warn_of_disk(error)
            try:
                yield
            finally:
                if self._spool is not None:
                    self._spool.close()
                    self._spool = None

    def _prepare(self, folder: Path) -> tuple[Identity, str | None]:
        """In one process: what is evaluated, and why it cannot be resumed, if so."""
        dataset = self.dataloader.dataset
        identity = identity_of(self.runner, dataset, self.evaluator)
        before, results = read_spool(folder)
        if not self.resume:
            if before is not None and len(results) < len(dataset):
                print_log(
                    f'an evaluation in {folder.parent} was stopped after '
                    f'{len(results)} pictures; it is begun anew, as --resume was not '
                    'given',
                    'current',
                )
            delete_spool(folder)
        elif before is None:
            print_log(f'nothing to resume in {folder.parent}: starting anew', 'current')
        elif other := difference(before, identity):
            return identity, (
                f'--resume: the evaluation in {folder.parent} was of {other}; give the '
                'same one, or begin anew without --resume'
            )
        else:
            print_log(
                f'going on after {len(results)} of {len(dataset)} pictures', 'current'
            )
        return identity, None


def _without(batch: Sequence[int], seen: Mapping[int, Any]) -> list[int]:
    return [index for index in dict.fromkeys(batch) if index not in seen]


def _one(data_batch: Any, i: int, count: int) -> Any:
    """The part of a collated batch that belongs to a picture, if it can be told."""
    if isinstance(data_batch, Mapping) and all(
        len(values) == count for values in data_batch.values()
    ):
        return {key: values[i : i + 1] for key, values in data_batch.items()}
    return data_batch


def _say_threads() -> None:
    """Processes on the CPU have fewer threads each, which round differently."""
    _, processes = get_dist_info()
    if processes > 1 and not torch.cuda.is_available():
        print_log(
            f'each of {processes} processes computes with {torch.get_num_threads()} '
            'threads (OMP_NUM_THREADS); one process gives the same last digits with '
            'the same number of threads',
            'current',
        )


def _warn_of_disk(error: OSError) -> None:
    print_log(
        f'cannot keep results on disk ({error}): if this evaluation is stopped, '
        '--resume will repeat what comes from here on',
        'current',
        logging.WARNING,
    )
