"""Corrections by hand, and the threshold that must not undo them."""

import numpy as np
import pytest

from glip.apis import Detections
from glip.page.draft import Draft, without_boxes


def detections(*boxes):
    """Of (name, score, corners)."""
    names = [name for name, _, _ in boxes]
    classes = list(dict.fromkeys(names))
    return Detections(
        boxes=[corners for _, _, corners in boxes],
        scores=[score for _, score, _ in boxes],
        labels=[classes.index(name) for name in names],
        names=names,
        size=(100, 80),
    )


@pytest.fixture
def draft():
    proposals = detections(
        ('cat', 0.9, (10, 10, 30, 30)),
        ('dog', 0.6, (40, 10, 60, 30)),
        ('cat', 0.2, (70, 10, 90, 30)),
    )
    return Draft(proposals, without_boxes(proposals), threshold=0.5)


def corrected(draft, *boxes):
    corners = np.array([corners for _, corners in boxes], dtype=float).reshape(-1, 4)
    return draft.corrected(corners, [name for name, _ in boxes], tolerance=0.5)


CAT, DOG = ('cat', (10, 10, 30, 30)), ('dog', (40, 10, 60, 30))


def shown(draft):
    return [
        (name, round(float(score), 2), tuple(box.tolist()))
        for name, score, box in zip(
            draft.boxes.names, draft.boxes.scores, draft.boxes.boxes
        )
    ]


def test_the_threshold_chooses_proposals(draft):
    assert draft.boxes.names == ['cat', 'dog']
    assert draft.at(0.0).boxes.names == ['cat', 'dog', 'cat']
    assert draft.at(0.7).boxes.names == ['cat']


def test_boxes_that_come_back_as_they_were_stay_proposals(draft):
    same = corrected(draft, DOG, ('cat', (10.3, 10, 30, 29.8)))
    assert shown(same) == shown(draft)
    assert shown(same.at(0.7)) == [('cat', 0.9, (10, 10, 30, 30))]


def test_a_deleted_box_does_not_come_back(draft):
    deleted = corrected(draft, CAT)
    assert deleted.boxes.names == ['cat']
    assert deleted.at(0.0).boxes.names == ['cat', 'cat']
    assert corrected(draft).boxes.names == []


def test_a_moved_box_is_certain_and_stays(draft):
    moved = corrected(draft, CAT, ('dog', (45, 10, 65, 30)))
    assert shown(moved.at(0.95)) == [('dog', 1.0, (45, 10, 65, 30))]
    assert moved.at(0.0).boxes.names.count('dog') == 1


def test_a_renamed_box(draft):
    renamed = corrected(draft, CAT, ('wolf', DOG[1]))
    assert sorted(renamed.boxes.names) == ['cat', 'wolf']
    assert sorted(renamed.at(0.0).boxes.names) == ['cat', 'cat', 'wolf']
    again = corrected(renamed, CAT, ('wolf', DOG[1]))
    assert shown(again) == shown(renamed)


def test_a_drawn_box_is_cut_at_the_edges(draft):
    drawn = corrected(draft, CAT, DOG, ('bird', (-5, 50, 120, 90)))
    assert ('bird', 1.0, (0, 50, 100, 80)) in shown(drawn)
    assert corrected(drawn, CAT, DOG).boxes.names == ['cat', 'dog']


def test_two_boxes_in_the_same_place_are_two(draft):
    twice = corrected(draft, CAT, CAT, DOG)
    assert sorted(twice.boxes.names) == ['cat', 'cat', 'dog']
    assert sorted(corrected(twice, CAT, DOG).boxes.names) == ['cat', 'dog']


def test_other_proposals_leave_work_by_hand(draft):
    moved = corrected(draft, ('dog', (45, 10, 65, 30)))
    other = moved.with_proposals(detections(('bird', 0.8, (1, 1, 9, 9))))
    assert other.boxes.names == ['dog', 'bird']
    assert other.boxes.labels.tolist() == [0, 1]
