"""FiftyOne applies glip to data sets."""

import numpy as np
import pytest
from PIL import Image

from glip.adapters import FiftyOneModel
from glip.errors import ConfigError, PromptError

fiftyone = pytest.importorskip('fiftyone')


@pytest.fixture
def dataset(monkeypatch, picture, tmp_path):
    """Two pictures of different sizes, the second without a thing."""
    pytest.importorskip('mongomock')
    from test_adapters.memory_database import use_memory

    use_memory(monkeypatch)
    Image.new('RGB', (70, 50)).save(tmp_path / 'empty.png')
    picture.save(tmp_path / 'colours.png')
    dataset = fiftyone.Dataset()
    dataset.add_samples(
        [fiftyone.Sample(filepath=str(file)) for file in sorted(tmp_path.iterdir())]
    )
    return dataset


@pytest.mark.parametrize('batch_size', [None, 2])
def test_a_data_set_gets_boxes(dataset, detector, boxes, batch_size):
    model = FiftyOneModel('red. blue', detector)
    dataset.apply_model(model, label_field='things', batch_size=batch_size)
    colours, empty = dataset
    assert empty.things.detections == []
    best, second = colours.things.detections
    assert (best.label, second.label) == ('blue', 'red')
    assert (best.confidence, second.confidence) == (3 / 16, 1 / 8)
    for thing in (best, second):
        x, y, width, height = np.array(thing.bounding_box) * (320, 160, 320, 160)
        assert np.allclose((x, y, x + width, y + height), boxes[thing.label])


def test_arguments_of_apply_model(dataset, detector):
    model = FiftyOneModel('red. blue', detector, threshold=0.16)

    def labels(**options):
        dataset.apply_model(model, label_field='things', **options)
        return {thing.label for thing in dataset.first().things.detections}

    assert labels() == {'blue'}
    assert labels(confidence_thresh=0.05) == {'red', 'blue'}
    assert labels(confidence_thresh=0.05, classes=['red']) == {'red'}
    assert labels() == {'blue'}


def test_pictures_without_a_data_set(detector, pixels):
    model = FiftyOneModel({'red': 'car'}, detector)
    (thing,) = model.predict(pixels).detections
    assert thing.label == 'car'
    assert [len(labels.detections) for labels in model.predict_all([pixels] * 2)] == [
        1,
        1,
    ]


def test_models_that_cannot_be(detector):
    for wrong in (None, [], 3):
        with pytest.raises(PromptError):
            FiftyOneModel(wrong, detector)
    with pytest.raises(ConfigError):
        FiftyOneModel('red', detector, threshold=3)
    with pytest.raises(ConfigError):
        FiftyOneModel('red', 'nonsense')
