"""sahi's own functions, with glip as their detection model."""

import numpy as np
import pytest
from PIL import Image
from standin import scene

from glip.adapters import SahiModel
from glip.errors import ConfigError, PromptError

sahi_predict = pytest.importorskip('sahi.predict')


def _things(result):
    """Name, id and box of each, by name and place."""
    return sorted(
        (
            thing.category.name,
            thing.category.id,
            tuple(map(float, thing.bbox.to_xyxy())),
        )
        for thing in result.object_prediction_list
    )


@pytest.fixture
def model(detector):
    return SahiModel(model=detector, text='red. blue', device='cpu')


def test_one_prediction(model, picture, pixels, boxes):
    for image in (picture, pixels):
        result = sahi_predict.get_prediction(image, model)
        assert _things(result) == [('blue', 1, boxes['blue']), ('red', 0, boxes['red'])]
    scores = {p.category.name: p.score.value for p in result.object_prediction_list}
    assert scores == {'red': 1 / 8, 'blue': 3 / 16}
    assert model.category_mapping == {'0': 'red', '1': 'blue'}
    assert not model.has_mask and model.num_categories == 2


@pytest.mark.parametrize('batch_size', [1, 3])
def test_slices_are_put_together(model, batch_size):
    # Each thing lies within a slice, and is small in the whole picture.
    things = {'red': (300, 10, 340, 50), 'blue': (20, 140, 60, 180)}
    large = Image.fromarray(scene(360, 200, **things)[..., ::-1].copy())
    result = sahi_predict.get_sliced_prediction(
        large,
        model,
        slice_height=100,
        slice_width=120,
        overlap_height_ratio=0,
        overlap_width_ratio=0,
        perform_standard_pred=False,
        batch_size=batch_size,
        verbose=0,
    )
    expected = [('blue', 1, things['blue']), ('red', 0, things['red'])]
    for thing, (name, number, box) in zip(_things(result), expected, strict=True):
        assert thing[:2] == (name, number)
        assert np.allclose(thing[2], box, atol=1)


def test_a_threshold_of_the_call_goes_before_that_of_the_model(model, picture):
    def names(**options):
        result = sahi_predict.get_prediction(picture, model, **options)
        return {name for name, *_ in _things(result)}

    assert names(confidence_threshold=0.16) == {'blue'}
    assert names(confidence_threshold=0.3) == set()
    assert names() == {'red', 'blue'}


def test_ids_of_the_caller(detector, picture, boxes):
    options = dict(model=detector, category_mapping={'7': 'blue', '9': 'green'})
    result = sahi_predict.get_prediction(picture, SahiModel(**options))
    assert _things(result) == [('blue', 7, boxes['blue'])]
    words = SahiModel(**options, text={'red': 'blue'})  # seen red, called blue
    result = sahi_predict.get_prediction(picture, words)
    assert _things(result) == [('blue', 7, boxes['red'])]
    moved = SahiModel(**options, category_remapping={'7': 1, '9': 2})
    assert _things(sahi_predict.get_prediction(picture, moved))[0][1] == 1


def test_loading_from_files_and_again(standin_files, picture):
    config, weights = standin_files
    model = SahiModel(
        weights, config_path=config, text='red', device='cpu', load_at_init=False
    )
    assert model.model is None
    for _ in range(2):
        model.load_model()
        model.confidence_threshold = 0.05
        assert (
            len(sahi_predict.get_prediction(picture, model).object_prediction_list) == 1
        )
        model.unload_model()


def test_the_threshold_of_the_model(detector):
    assert SahiModel(model=detector, text='red').confidence_threshold == 0.05
    given = SahiModel(model=detector, text='red', confidence_threshold=0.5)
    assert given.confidence_threshold == 0.5


@pytest.mark.parametrize(
    ('error', 'options'),
    [
        (PromptError, dict()),
        (PromptError, dict(text=[])),
        (PromptError, dict(text=3)),
        (PromptError, dict(text='red', category_mapping={'1': 'blue'})),
        (ConfigError, dict(text='red', image_size=640)),
        (ConfigError, dict(text='red', confidence_threshold=3)),
    ],
    ids=str,
)
def test_models_that_cannot_be(error, options, detector):
    with pytest.raises(error):
        SahiModel(model=detector, **options)


def test_a_name_that_is_none():
    with pytest.raises(ConfigError):
        SahiModel('nonsense', text='red')
