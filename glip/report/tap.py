"""Looking on while a data set works on its samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glip.errors import ConfigError, DatasetError, GLIPError, one_line
from glip.evaluation.predictions import as_array
from glip.runtime.leaves import iter_paths
from glip.visualization.scene import PROMPT_FIELDS, Scene, make_scene

_INCLUSIVE = 'GTBoxSubOne_GLIP'  # behind it boxes end with their last pixel


@dataclass
class Leaf:
    """A data set that reads files itself.

    Attributes:
        dataset: The data set, without wrappers.
        is_mixed: Whether its samples are made into others further out.
    """

    dataset: Any
    is_mixed: bool = False

    def __post_init__(self) -> None:
        pipeline = getattr(self.dataset, 'pipeline', None)
        self.transforms: list[Callable] = list(getattr(pipeline, 'transforms', ()))

    @property
    def names(self) -> tuple[str, ...]:
        """Classes of the data set."""
        return tuple((getattr(self.dataset, 'metainfo', None) or {}).get('classes', ()))

    @property
    def is_inclusive(self) -> bool:
        """Whether boxes end with their last pixel when the pipeline is through."""
        return any(type(t).__name__ == _INCLUSIVE for t in self.transforms)

    def tap(self, mode: str) -> None:
        """Look on as the pipeline works; the data set then gives :class:`Seen`.

        Args:
            mode: See :class:`glip.report.samples.SampleBrowser`.

        Raises:
            ConfigError: There is none, and it matters.
        """
        if self.transforms and not self.is_mixed:
            self.dataset.pipeline = _Tap(self, mode)
        elif mode != 'transformed':
            raise ConfigError(
                f'{type(self.dataset).__name__} lets nobody look into its pipeline; '
                'its samples can be shown transformed only'
            )


def leaves(dataset: Any) -> Iterator[Leaf]:
    """The data sets inside those that repeat, join, seed or mix."""
    for *wrappers, innermost in iter_paths(dataset):
        is_mixed = any('pipeline' in vars(wrapper) for wrapper in wrappers)
        yield Leaf(innermost, is_mixed)


def below_mixing(dataset: Any) -> Any:
    """The data set inside those that make several samples into one."""
    while 'dataset' in vars(dataset) and 'pipeline' in vars(dataset):
        dataset = dataset.dataset
    return dataset


class _Tap:
    """A pipeline that remembers what it did, and does not fail for bad data."""

    def __init__(self, leaf: Leaf, mode: str) -> None:
        self.leaf = leaf
        self.mode = mode

    def __call__(self, record: dict[str, Any]) -> Seen:
        seen = Seen(record, names=self.leaf.names)
        try:
            for transform in self.leaf.transforms:
                if self.mode == 'original' and 'img' in seen.data:
                    break
                seen.data = transform(seen.data)
                name = type(transform).__name__
                if seen.data is None:
                    seen.reason = f'{name} leaves nothing of it'
                    break
                if 'gt_bboxes' in seen.data and seen.frame is None:
                    seen.frame = seen.data.get('scale_factor', (1.0, 1.0))
                seen.is_inclusive |= name == _INCLUSIVE
                if self.mode == 'pipeline' and 'img' in seen.data:
                    seen.add_step(name)
        except GLIPError as error:
            seen.reason = one_line(error)
        return seen


@dataclass
class Seen:
    """What came out of a data set, and what is known about how.

    Attributes:
        data: A packed sample, or a record.
        names: Classes of the data set.
        path: Of the picture.
        index: Number of the sample.
        reason: Why there is nothing, where that is so.
        frame: Width and height of the picture over those that the boxes are given
            in: 1 but where annotations were loaded behind a resize.
        is_inclusive: Whether boxes end with their last pixel.
        parts: Heading and scene, one in the end, or one after each transform that
            changed something.
        notes: What else there is to say.
        num_cut: Boxes whose words have no room in the caption.
    """

    data: Any
    names: tuple[str, ...] = ()
    path: str = ''
    index: int = 0
    reason: str | None = None
    frame: tuple[float, ...] | None = None
    is_inclusive: bool = False
    parts: list[tuple[str, Scene]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    num_cut: int = 0

    def __post_init__(self) -> None:
        self.path = self.path or str(self.get('img_path') or '')

    def get(self, key: str) -> Any:
        """A field of the record or of the packed sample."""
        if not isinstance(self.data, Mapping):
            return None
        return self.data.get('data_samples', self.data).get(key)

    @property
    def prompt(self) -> dict[str, Any]:
        """The fields that make the prompt."""
        return {key: self.get(key) for key in PROMPT_FIELDS}

    @property
    def scene(self) -> Scene:
        """What the model would see."""
        return self.parts[-1][1]

    def add_step(self, name: str) -> None:
        """Note what a transform left, unless it looks as before."""
        scene = self._scene()
        if self.parts and _look_alike(self.scene, scene):
            name = f'{self.parts.pop()[0]}, {name}'
        self.parts.append((name, scene))

    def finish(self) -> None:
        """Make the scene of a sample whose steps are not shown.

        Raises:
            GLIPError: It cannot be shown.
        """
        self.parts = self.parts or [('', self._scene())]

    def _scene(self) -> Scene:
        if not isinstance(self.data, Mapping):
            raise DatasetError(
                f'a sample is a {type(self.data).__name__}, not what PackDetInputs '
                'makes; let the pipeline end with it'
            )
        if 'inputs' in self.data and 'data_samples' in self.data:
            image = self.data['inputs'].permute(1, 2, 0).numpy()
            boxes, labels, ignored = _of_sample(self.data['data_samples'])
        elif 'img' in self.data:
            image = self.data['img']
            boxes, labels, ignored = _of_record(self.data)
        else:
            raise DatasetError(
                f'{self.path}: its pipeline gives no picture; let it begin with '
                'LoadImageFromFile'
            )
        frame = self.frame
        if frame is None:
            loaded = 'instances' in self.data and 'gt_bboxes' not in self.data
            frame = self.data.get('scale_factor') if loaded else None
        boxes = boxes + [0, 0, self.is_inclusive, self.is_inclusive]
        return make_scene(
            np.clip(image, 0, 255).astype(np.uint8)[..., ::-1],
            boxes * np.tile(frame or (1.0, 1.0), 2),
            labels,
            **self.prompt,
            names=self.names,
            ignored=ignored,
            source=self.path,
        )


def _of_record(
    record: Mapping[str, Any],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (N, 4), labels and ignore flags on their way through a pipeline."""
    if 'gt_bboxes' in record:
        boxes = as_array(record['gt_bboxes'])
        labels = record.get('gt_bboxes_labels', np.zeros(len(boxes)))
        ignored = record.get('gt_ignore_flags', np.zeros(len(boxes)))
    else:
        instances = record.get('instances') or ()
        boxes = np.array([entry['bbox'] for entry in instances], dtype=np.float64)
        labels = np.array([entry['bbox_label'] for entry in instances])
        ignored = np.array([entry.get('ignore_flag', 0) for entry in instances])
    return boxes.reshape(-1, 4), labels, ignored


def _of_sample(sample: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (N, 4), labels and ignore flags of a packed sample."""
    boxes, labels, ignored = [np.zeros((0, 4))], [np.zeros(0)], [np.zeros(0)]
    for key in ('gt_instances', 'ignored_instances'):
        part = sample.get(key)
        if part is None or 'bboxes' not in part or 'labels' not in part:
            continue
        boxes.append(as_array(part.bboxes).reshape(-1, 4))
        labels.append(as_array(part.labels))
        ignored.append(np.full(len(labels[-1]), key == 'ignored_instances'))
    return np.concatenate(boxes), np.concatenate(labels), np.concatenate(ignored)


def _look_alike(one: Scene, other: Scene) -> bool:
    """Whether nothing that can be seen has changed."""
    return (
        one.caption == other.caption
        and one.phrases == other.phrases
        and all(
            np.array_equal(getattr(one, key), getattr(other, key))
            for key in ('image', 'labels', 'ignored')
        )
        and np.allclose(one.boxes, other.boxes, rtol=0, atol=0.01)
    )
