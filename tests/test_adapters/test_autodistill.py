"""autodistill labels a folder with glip as its base model."""

import numpy as np
import pytest
import yaml
from PIL import Image

from glip.adapters import AutodistillModel
from glip.errors import ImageError, PromptError

autodistill = pytest.importorskip('autodistill.detection')


@pytest.fixture
def model(detector):
    ontology = autodistill.CaptionOntology({'blue': 'sky', 'red': 'car'})
    return AutodistillModel(ontology, detector)


def test_a_folder_becomes_a_data_set(model, picture, boxes, tmp_path):
    for number in range(5):
        folder = tmp_path / 'pictures'
        folder.mkdir(exist_ok=True)
        picture.save(folder / f'{number}.jpg', quality=100, subsampling=0)
    model.label(str(folder), extension='.jpg', output_folder=str(tmp_path / 'out'))
    names = yaml.safe_load((tmp_path / 'out' / 'data.yaml').read_text())['names']
    assert names == ['sky', 'car']
    files = sorted((tmp_path / 'out').glob('*/labels/*.txt'))
    assert [file.stem for file in sorted(files, key=lambda f: f.stem)] == list('01234')
    for file in files:
        rows = np.loadtxt(file, ndmin=2)
        assert sorted(rows[:, 0]) == [0, 1]
        for number, x, y, width, height in rows:
            x1, y1, x2, y2 = boxes[['blue', 'red'][int(number)]]
            expected = (
                (x1 + x2) / 640,
                (y1 + y2) / 320,
                (x2 - x1) / 320,
                (y2 - y1) / 160,
            )
            assert np.allclose((x, y, width, height), expected, atol=0.01)


def test_pictures_of_any_kind(model, picture, picture_file, pixels, boxes):
    for image in (picture, picture_file, pixels[..., ::-1]):  # arrays are in BGR
        result = model.predict(image)
        assert list(result.class_id) == [0, 1]
        assert [tuple(box) for box in result.xyxy] == [boxes['blue'], boxes['red']]
    assert len(model.predict(Image.new('RGB', (50, 50)))) == 0
    assert len(model.sahi_predict(picture)) == 2


def test_ids_where_prompts_share_a_class(detector, picture):
    ontology = autodistill.CaptionOntology({'green': 'x', 'red': 'x', 'blue': 'y'})
    result = AutodistillModel(ontology, detector).predict(picture)
    classes = ontology.classes()
    assert [classes[number] for number in result.class_id] == ['y', 'x']


def test_another_ontology(model, picture):
    model.set_ontology(autodistill.CaptionOntology({'red': 'car'}))
    assert list(model.predict(picture).class_id) == [0]
    assert model.ontology.classes() == ['car']


def test_ontologies_and_pictures_that_cannot_be(detector, model):
    for wrong in (None, 'red', {'red': 'car'}):
        with pytest.raises(PromptError):
            AutodistillModel(wrong, detector)
    with pytest.raises(ImageError):
        model.predict('nowhere.jpg')
