"""Detections check themselves, are cut, written and drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from glip.apis import Detections
from glip.errors import ImageError


def make(count: int = 3, **changes) -> Detections:
    fields = dict(
        boxes=np.arange(4 * count).reshape(-1, 4) + [0, 0, 10, 10],
        scores=np.linspace(0.9, 0.1, count),
        labels=np.arange(count) % 2,
        names=[('dog', 'Ünï cat')[i % 2] for i in range(count)],
        size=(64, 48),
    )
    return Detections(**{**fields, **changes})


def test_fields_have_their_types():
    found = make()
    assert len(found) == 3
    assert found.boxes.dtype == found.scores.dtype == np.float32
    assert found.labels.dtype == np.int64
    assert found.names == ['dog', 'Ünï cat', 'dog']
    assert found.size == (64, 48)


def test_nothing_found():
    found = Detections(boxes=[], scores=[], labels=[], names=[], size=(5, 4))
    assert len(found) == 0 and found.boxes.shape == (0, 4)
    assert found.to_dict()['bboxes'] == []
    assert found[found.scores > 0.5].boxes.shape == (0, 4)


@pytest.mark.parametrize(
    'changes',
    [
        {'boxes': np.zeros((3, 5))},
        {'boxes': np.zeros(12)},
        {'scores': np.zeros(2)},
        {'labels': np.zeros((3, 1))},
        {'names': ['a']},
        {'size': (0, 5)},
    ],
)
def test_fields_that_contradict(changes):
    with pytest.raises(ValueError):
        make(**changes)


@pytest.mark.parametrize(
    ('index', 'kept'),
    [
        (np.array([True, False, True]), [0, 2]),
        (slice(1, None), [1, 2]),
        ([2, 0], [2, 0]),
        (1, [1]),
        (-1, [2]),
        (slice(0, 0), []),
    ],
)
def test_selection(index, kept):
    found = make(image='a.jpg')
    part = found[index]
    assert np.array_equal(part.boxes, found.boxes[kept])
    assert np.array_equal(part.scores, found.scores[kept])
    assert np.array_equal(part.labels, found.labels[kept])
    assert part.names == [found.names[i] for i in kept]
    assert part.size == found.size and part.image == 'a.jpg'


def test_iteration_and_threshold():
    found = make()
    assert [one.names for one in found] == [[name] for name in found.names]
    assert len(found.above(0.5)) == 2  # 0.5 itself is kept
    with pytest.raises(IndexError):
        found[3]


def test_to_dict_is_json_without_loss():
    boxes = np.random.default_rng(0).random((3, 4)) * 1e3
    found = make(image='bébé.jpg', boxes=boxes)
    back = json.loads(json.dumps(found.to_dict()))
    assert set(back) == {'image', 'size', 'bboxes', 'scores', 'labels', 'label_names'}
    assert np.array_equal(np.float32(back['bboxes']), found.boxes)
    assert np.array_equal(np.float32(back['scores']), found.scores)
    assert back['labels'] == [0, 1, 0] and back['label_names'] == found.names
    assert back['image'] == 'bébé.jpg' and back['size'] == [64, 48]


def test_plot_takes_the_picture_from_where_it_was(tmp_path):
    path = tmp_path / 'gray.png'
    Image.new('RGB', (64, 48), (90, 90, 90)).save(path)
    array = np.full((48, 64, 3), 90, np.uint8)
    drawn = [
        make(image=str(path)).plot(),
        make(source=array).plot(),
        make(source=Image.open(path)).plot(),
        make().plot(array),
    ]
    assert all(picture.size == (64, 48) for picture in drawn)
    first = np.asarray(drawn[0])
    assert all(np.array_equal(np.asarray(picture), first) for picture in drawn)
    assert (first != 90).any() and (array == 90).all()


def test_plot_without_a_picture():
    with pytest.raises(ImageError, match='no picture'):
        make().plot()
    with pytest.raises(ImageError, match='no such file'):
        make(image='gone.jpg').plot()
    with pytest.raises(ImageError, match='64x48'):
        make().plot(np.zeros((9, 9, 3), np.uint8))
