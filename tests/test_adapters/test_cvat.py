"""CVAT's own driver, with glip as its function and a task in memory."""

import logging
from types import SimpleNamespace

import pytest

from glip.adapters import CvatFunction
from glip.errors import ConfigError, PromptError

driver = pytest.importorskip('cvat_sdk.auto_annotation.driver')


class Server:
    """What the driver asks of a server: the labels of a task, and to take shapes."""

    def __init__(self, picture, labels):
        self.logger = logging.getLogger('cvat')
        self.tasks = SimpleNamespace(api=self)
        self.labels = [
            SimpleNamespace(
                name=name, id=number, type='rectangle', attributes=[], sublabels=[]
            )
            for name, number in labels.items()
        ]
        media = SimpleNamespace(load_image=lambda: picture)
        self.samples = [
            SimpleNamespace(frame_name=f'{frame}.png', frame_index=frame, media=media)
            for frame in (4, 5)
        ]

    def partial_update_annotations(
        self, action, task_id, *, patched_labeled_data_request
    ):
        assert (action, task_id) == ('create', 12)
        self.shapes = patched_labeled_data_request.shapes
        assert not patched_labeled_data_request.tags


@pytest.fixture
def annotate(monkeypatch, picture):
    """Annotate the task, and return its shapes as label, frame and points."""

    def annotate(function, labels, **options):
        server = Server(picture, labels)
        monkeypatch.setattr(driver, 'TaskDataset', lambda client, *_, **__: client)
        driver.annotate_task(server, 12, function, **options)
        return sorted(
            (shape.label_id, shape.frame, tuple(shape.points))
            for shape in server.shapes
        )

    return annotate


def test_a_task_gets_rectangles(annotate, detector, boxes):
    function = CvatFunction('red. blue', detector)
    assert annotate(function, {'blue': 31, 'red': 32}) == [
        (number, frame, boxes[name])
        for number, name in ((31, 'blue'), (32, 'red'))
        for frame in (4, 5)
    ]


def test_the_names_are_those_of_the_labels(annotate, detector, boxes):
    function = CvatFunction({'red': 'worker', 'blue': 'worker'}, detector)
    shapes = annotate(function, {'worker': 1})
    assert {points for _, _, points in shapes} == set(boxes.values())
    function = CvatFunction('red. blue', detector)
    with pytest.raises(driver.BadFunctionError, match='blue'):
        annotate(function, {'red': 1})
    assert len(annotate(function, {'red': 1}, allow_unmatched_labels=True)) == 2


def test_a_threshold_of_the_task_goes_before_the_own_one(annotate, detector):
    function = CvatFunction('red. blue', detector, threshold=0.16)
    labels = {'red': 1, 'blue': 2}
    assert len(annotate(function, labels)) == 2
    assert len(annotate(function, labels, conf_threshold=0.05)) == 4
    assert annotate(function, labels, conf_threshold=0.9) == []


def test_for_the_command_line(standin_files, annotate, boxes):
    import glip.adapters.cvat as module

    config, weights = standin_files
    options = dict(model=config, weights=weights, device='cpu', threshold=0.05)
    function = module.create('{"red": "worker"}', **options)
    assert annotate(function, {'worker': 3})[0] == (3, 4, boxes['red'])
    assert module.create('red. blue', **options).prompted.classes == ('red', 'blue')
    with pytest.raises(PromptError):
        module.create('{"red": ', **options)


def test_functions_that_cannot_be(detector):
    for wrong in (None, [], 3):
        with pytest.raises(PromptError):
            CvatFunction(wrong, detector)
    with pytest.raises(ConfigError):
        CvatFunction('red', detector, threshold='high')
    with pytest.raises(ConfigError):
        CvatFunction('red', detector, weights='a.pth')
