"""Pictures of detections while training, validating and testing."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.engine.hooks import DetVisualizationHook as _MMDetVisualizationHook
from mmdet.structures import DetDataSample
from mmengine.dataset import pseudo_collate
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from PIL import Image

from glip.config.threshold import default_threshold_of
from glip.datasets.seeding import drawn_with
from glip.engine.hooks.watching import first_with_boxes, undisturbed
from glip.errors import GLIPError, ImageError
from glip.evaluation.predictions import as_array
from glip.images import load_image
from glip.registry import HOOKS
from glip.runtime.values import check_count, check_score
from glip.runtime.writing import write_picture
from glip.visualization.picture import render_beside
from glip.visualization.scene import PROMPT_FIELDS, Scene, make_scene

_WRITABLE = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')
_QUALITY = 92


@HOOKS.register_module()
class DetVisualizationHook(_MMDetVisualizationHook):
    """mmdet's hook for prompts: annotation and prediction beside each other.

    Below them stands what the picture was asked for, each phrase in the colour of its
    boxes. Pictures go to all of the visualizer's backends, ``LocalVisBackend`` (files
    in ``<work_dir>/<time>/vis_data/vis_image``), TensorBoard and others. Those of a
    test with ``test_out_dir`` go to ``<work_dir>/<time>/<test_out_dir>``; equal file
    names of several folders get a number.

    With ``train_interval`` one picture, the first with boxes of the data to validate
    on, else of the data to train on, is looked at again and again while training. The
    model is as before afterwards, and so are all random numbers: losses are the same
    to the last digit.

    Args:
        draw: Draw while validating and testing.
        interval: Batches of a validation from one picture to the next.
        score_thr: Boxes that score less are left out; None takes the model's
            ``default_threshold``.
        show: Show each in a window.
        wait_time: Seconds that a window stays.
        test_out_dir: Where pictures of a test go.
        backend_args: Accepted for configs of mmdet.
        train_interval: Training steps from one picture to the next; 0 for none.

    Raises:
        ConfigError: ``interval`` or ``train_interval`` is no number of steps.
    """

    def __init__(
        self,
        draw: bool = False,
        interval: int = 50,
        score_thr: float | None = None,
        show: bool = False,
        wait_time: float = 0.0,
        test_out_dir: str | None = None,
        backend_args: dict | None = None,
        train_interval: int = 0,
    ) -> None:
        super().__init__(
            draw, interval, score_thr, show, wait_time, test_out_dir, backend_args
        )
        if score_thr is not None:
            check_score(score_thr, 'score_thr of DetVisualizationHook')
        name = type(self).__name__
        check_count(interval, f'interval of {name}')
        self.train_interval = check_count(
            train_interval, f'train_interval of {name} (0: no pictures)', least=0
        )
        self._watched: dict[str, Any] | None = None
        self._is_of_training = False

    def before_run(self, runner: Runner) -> None:
        """Take the threshold of the model where the config names none here."""
        if self.score_thr is None:
            self.score_thr = default_threshold_of(runner.cfg)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Settle at first which picture is watched; a step may change its batch."""
        if self.train_interval and self._watched is None:
            self._watch(runner, data_batch)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Predict on the picture that is watched, every so many steps."""
        if not self.every_n_train_iters(runner, self.train_interval):
            return
        batch = pseudo_collate([copy.deepcopy(self._watched)])
        # On every process: a model may be spread over all of them.
        with undisturbed(runner.model), torch.no_grad():
            sample = runner.model.val_step(batch)[0]
        if is_main_process():
            with _surviving(runner):
                self._draw(
                    'train_img',
                    sample,
                    runner.iter + 1,
                    batch,
                    0,
                    as_seen=self._is_of_training,
                )

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any,
        outputs: Sequence[DetDataSample],
    ) -> None:
        """Draw the first picture of every ``interval``-th batch."""
        step = runner.iter + batch_idx
        if self.draw and step % self.interval == 0 and is_main_process():
            name = _file_name(outputs[0]) if self.show else 'val_img'
            with _surviving(runner):
                self._draw(name, outputs[0], step, data_batch, 0)

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
        for number, sample in enumerate(outputs):
            self._test_index += 1
            file = _file_name(sample)
            path = None
            if self.test_out_dir is not None:
                folder = Path(runner.work_dir, runner.timestamp, self.test_out_dir)
                folder.mkdir(parents=True, exist_ok=True)
                path = _claimed(folder / _with_known_suffix(file))
            name = file if self.show else 'test_img'
            self._draw(name, sample, self._test_index, data_batch, number, path)

    def _watch(self, runner: Runner, data_batch: Mapping[str, Any]) -> None:
        """Settle which picture is watched, and keep a copy."""
        loop = runner.val_loop
        if loop is not None:
            with drawn_with(0):
                self._watched = first_with_boxes(loop.dataloader.dataset)
        if self._watched is None:
            self._is_of_training = True
            kept = {key: data_batch[key][0] for key in ('inputs', 'data_samples')}
            self._watched = copy.deepcopy(kept)

    def _draw(
        self,
        name: str,
        sample: DetDataSample,
        step: int,
        batch: Mapping[str, Any],
        number: int,
        path: Path | None = None,
        *,
        as_seen: bool = False,
    ) -> None:
        """Draw one sample and hand it to where it belongs.

        Args:
            name: Of the picture.
            sample: Detections, and annotations where there are any.
            step: Number beside the name.
            batch: What the model was given.
            number: Which of the batch the sample is.
            path: A file to write, instead of the backends.
            as_seen: The sample is one to train on: its boxes are those of the picture
                as cropped, turned and resized for the model, last pixels included.
        """
        pixels = _pixels(batch['inputs'][number])
        image = pixels if as_seen else _image(sample, pixels)
        scenes = self._scenes(image, sample, as_seen)
        drawn = render_beside(scenes, title=str(sample.get('img_path', '')))
        if self.show:
            self._visualizer.show(
                np.asarray(drawn), win_name=name, wait_time=self.wait_time
            )
        if path is not None:
            write_picture(path, drawn, quality=_QUALITY)
        else:
            self._visualizer.add_image(name, np.asarray(drawn), step)

    def _scenes(
        self, image: np.ndarray, sample: DetDataSample, as_seen: bool
    ) -> list[tuple[str, Scene]]:
        """Heading and scene of what is annotated, if that was loaded, and detected."""
        scene = partial(
            make_scene,
            image,
            **{key: sample.get(key) for key in PROMPT_FIELDS},
            names=(self._visualizer.dataset_meta or {}).get('classes', ()),
            source=str(sample.get('img_path', 'a picture')),
        )
        scenes = []
        truth = sample.get('gt_instances')
        if truth is not None and 'bboxes' in truth and 'labels' in truth:
            boxes = as_array(truth.bboxes).reshape(-1, 4) + [0, 0, as_seen, as_seen]
            scenes.append(('annotated', scene(boxes, as_array(truth.labels))))
        detections = sample.pred_instances
        boxes, scores = as_array(detections.bboxes), as_array(detections.scores)
        if as_seen:  # the model gives boxes in the size before the resize
            boxes = boxes * np.tile(sample.get('scale_factor', (1.0, 1.0)), 2)
        kept = scores >= self.score_thr
        heading = 'found'
        if not kept.any():
            heading += f': nothing that scores {self.score_thr:g}'
            heading += f', at most {scores.max():.2g}' if len(scores) else ''
        labels = as_array(detections.labels)[kept]
        scenes.append((heading, scene(boxes[kept], labels, scores=scores[kept])))
        return scenes


def _image(sample: DetDataSample, pixels: np.ndarray) -> np.ndarray:
    """The picture, (H, W, 3) RGB, in the size that detected boxes are given in.

    It is read again, as the model saw it in another size; one that has no file, or
    was turned or flipped, is taken from what the model saw.
    """
    height, width = sample.ori_shape[:2]
    if sample.get('img_path') and not sample.get('flip', False):
        try:
            image = load_image(sample.img_path)
        except ImageError:
            image = None
        if image is not None and image.shape[:2] == (height, width):
            return image[..., ::-1]
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.BILINEAR))


def _pixels(inputs: Any) -> np.ndarray:
    """What the model saw, (H, W, 3) RGB."""
    while isinstance(inputs, (list, tuple)):  # several looks at one picture
        inputs = inputs[0]
    pixels = inputs.detach().cpu().permute(1, 2, 0).clamp(0, 255).byte().numpy()
    return np.ascontiguousarray(pixels[..., ::-1])


@contextmanager
def _surviving(runner: Runner) -> Iterator[None]:
    """Let a picture that cannot be drawn or written be a warning, no end."""
    try:
        yield
    except (GLIPError, OSError) as error:
        runner.logger.warning(f'no picture of predictions is drawn: {error}')


def _file_name(sample: DetDataSample) -> str:
    """Of its picture, with something to go by where it has no file."""
    return os.path.basename(sample.get('img_path') or '') or 'picture.jpg'


def _with_known_suffix(file: str) -> str:
    """A file name that says how to write a picture."""
    return file if Path(file).suffix.lower() in _WRITABLE else f'{file}.jpg'


def _claimed(path: Path) -> Path:
    """A new file, with a number where there is one already, of no other process."""
    numbered = (path.with_stem(f'{path.stem}_{number}') for number in count(2))
    for free in chain([path], numbered):
        with suppress(FileExistsError):
            free.touch(exist_ok=False)
            break
    return free
