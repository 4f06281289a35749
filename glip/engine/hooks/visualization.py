"""Pictures of what is found while validating and testing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdet.engine.hooks import DetVisualizationHook as _MMDetVisualizationHook
from mmdet.structures import DetDataSample
from mmengine.runner import Runner

from glip.images import load_image
from glip.registry import HOOKS


@HOOKS.register_module()
class DetVisualizationHook(_MMDetVisualizationHook):
    """mmdet's hook for prompts: names come from each sample's own text.

    Pictures of a test go to ``<work_dir>/<time>/<test_out_dir>``; equal file names of
    several folders get a number. Arguments are those of mmdet's hook: ``draw``,
    ``interval``, ``score_thr``, ``show``, ``wait_time``, ``test_out_dir``.
    """

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any,
        outputs: Sequence[DetDataSample],
    ) -> None:
        """Draw the first picture of every ``interval``-th batch."""
        step = runner.iter + batch_idx
        if self.draw and step % self.interval == 0:
            name = os.path.basename(outputs[0].img_path) if self.show else 'val_img'
            self._draw(name, outputs[0], step)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any,
        outputs: Sequence[DetDataSample],
    ) -> None:
        """Draw every picture."""
        if not self.draw:
            return
        for sample in outputs:
            self._test_index += 1
            file = os.path.basename(sample.img_path)
            path = None
            if self.test_out_dir is not None:
                folder = Path(runner.work_dir, runner.timestamp, self.test_out_dir)
                folder.mkdir(parents=True, exist_ok=True)
                path = _unused(folder / file)
            name = file if self.show else 'test_img'
            self._draw(name, sample, self._test_index, path)

    def _draw(
        self, name: str, sample: DetDataSample, step: int, path: Path | None = None
    ) -> None:
        text = sample.get('text')
        if isinstance(text, (list, tuple)):
            self._visualizer.dataset_meta = {'classes': tuple(text)}
        self._visualizer.add_datasample(
            name,
            load_image(sample.img_path)[..., ::-1],
            data_sample=sample,
            show=self.show,
            wait_time=self.wait_time,
            pred_score_thr=self.score_thr,
            out_file=None if path is None else str(path),
            step=step,
        )


def _unused(path: Path) -> Path:
    """The path, with a number where something lies there already."""
    number = 1
    free = path
    while free.exists():
        number += 1
        free = path.with_stem(f'{path.stem}_{number}')
    return free
