"""The model in the repository finds everyday things, by the words people use."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from glip.apis import Detections, Detector, load
from glip.checkpoints import zoo

_PICTURE = Path(__file__).resolve().parents[2] / 'demo' / 'person_dog_horse.jpg'
# Drawn by hand: x1, y1, x2, y2 in pixels.
_BOXES = {
    'person': [189, 99, 276, 372],
    'dog': [64, 265, 206, 348],
    'horse': [403, 136, 602, 347],
}


@pytest.fixture(scope='module')
def detector() -> Detector:
    return load('glip-nano', device='cpu')


@pytest.fixture(scope='module')
def picture(detector):
    return detector.encode(_PICTURE)


def overlap(detections: Detections, word: str, thing: str) -> float:
    """Best IoU of the boxes that are called ``word`` with that of ``thing``."""
    boxes = detections.boxes[[name == word for name in detections.names]]
    if not len(boxes):
        return 0.0
    truth = torch.tensor([_BOXES[thing]], dtype=torch.float)
    return float(box_iou(torch.as_tensor(boxes), truth).max())


@pytest.mark.parametrize(
    'words',
    [
        {'person': 'person', 'dog': 'dog', 'horse': 'horse'},
        {'people': 'person', 'dogs': 'dog'},
        {'animal': 'dog'},
        {'animal': 'horse'},
    ],
    ids='. '.join,
)
def test_things_are_where_they_are(detector, picture, words):
    detections = detector(picture, list(words))
    for word, thing in words.items():
        assert overlap(detections, word, thing) > 0.8, (word, thing)


def test_words_in_a_sentence(detector, picture):
    detections = detector(picture, 'a man walks his dog')
    for word, thing in {'a man': 'person', 'his dog': 'dog'}.items():
        assert overlap(detections, word, thing) > 0.8, word


def test_a_name_finds_its_own_thing_only(detector, picture):
    detections = detector(picture, ['person', 'dog', 'horse'])
    for word in _BOXES:
        for other in set(_BOXES) - {word}:
            assert overlap(detections, word, other) < 0.5, (word, other)


@pytest.mark.parametrize('word', ['guitar', 'airplane', 'pizza'])
def test_a_word_for_nothing_in_the_picture_stays_quiet(detector, picture, word):
    assert not len(detector(picture, [word]))


def test_capitals_make_no_difference(detector, picture):
    detections, usual = (
        detector(picture, names)
        for names in (['Person', 'DOG', 'Horse'], ['person', 'dog', 'horse'])
    )
    assert detections.names == [
        {'person': 'Person', 'dog': 'DOG', 'horse': 'Horse'}[name]
        for name in usual.names
    ]
    np.testing.assert_array_equal(detections.scores, usual.scores)
    np.testing.assert_array_equal(detections.boxes, usual.boxes)


def test_the_weights_are_light():
    (entry,) = (entry for entry in zoo.entries() if entry.name == 'glip-nano')
    assert entry.path.stat().st_size <= 46e6
