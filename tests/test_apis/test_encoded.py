"""A picture that is computed once and asked about many times."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from test_detector_glip import tiny_config

from glip.apis import Detector, build_model, load
from glip.errors import ConfigError, ImageError, PromptError


@pytest.fixture(scope='module', params=[True, False], ids=['fused', 'unfused'])
def detector(request, tmp_path_factory) -> Detector:
    torch.manual_seed(0)
    cfg = tiny_config()
    cfg.model.bbox_head.early_fuse = request.param
    path = tmp_path_factory.mktemp('tiny') / 'tiny.pth'
    torch.save(build_model(cfg).state_dict(), path)
    return load(cfg, str(path), 'cpu')


@pytest.fixture(scope='module')
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)


@pytest.fixture
def computed(detector) -> list:
    """Grows by one whenever the backbone computes a picture."""
    calls = []
    handle = detector.model.backbone.register_forward_hook(
        lambda *_: calls.append(None)
    )
    yield calls
    handle.remove()


def assert_same(one, other):
    np.testing.assert_array_equal(one.boxes, other.boxes)
    np.testing.assert_array_equal(one.scores, other.scores)
    assert one.names == other.names and one.size == other.size
    assert one.image == other.image


@pytest.mark.parametrize('amp', [False, True])
def test_any_prompt_finds_what_a_call_with_the_picture_finds(
    detector, picture, computed, amp
):
    detector = Detector(detector.model, detector.cfg, amp=amp)
    encoded = detector.encode(picture)
    assert len(computed) == 1
    prompts = ['bench. car', [f'thing {i}' for i in range(40)], 'a man with a hat']
    found = [detector(encoded, text, threshold=0.0) for text in prompts]
    assert len(computed) == 1
    for text, one in zip(prompts, found):
        assert len(one) > 0
        assert_same(one, detector(picture, text, threshold=0.0))


def test_encoded_ones_among_others(detector, picture, computed):
    encoded = detector.encode(picture)
    texts = ['cat', 'dog', 'cow']
    mixed = detector(
        [encoded, picture, encoded], texts=texts, threshold=0.0, batch_size=2
    )
    assert len(computed) == 2
    for text, one in zip(texts, mixed):
        assert_same(one, detector(picture, text, threshold=0.0))


def test_chunks_are_for_one_call(detector, picture):
    encoded = detector.encode(picture)
    names = [f'thing {i}' for i in range(30)]
    split = detector(encoded, names, threshold=0.0, chunked_size=4)
    assert_same(split, detector(picture, names, threshold=0.0, chunked_size=4))


def test_a_file_stays_what_is_drawn_upon(detector, picture, tmp_path):
    path = tmp_path / 'noise.png'
    Image.fromarray(picture[:, :, ::-1]).save(path)
    found = detector(detector.encode(path), 'cat', threshold=0.0)
    assert_same(found, detector(path, 'cat', threshold=0.0))
    assert found.image == str(path) and found.plot().size == (120, 90)


def test_another_detector_refuses_it(detector, picture):
    other = Detector(detector.model, detector.cfg)
    with pytest.raises(ImageError, match='encoded by another detector'):
        other(detector.encode(picture), 'cat')


def test_bad_input(detector, picture, tmp_path):
    with pytest.raises(ImageError, match='nowhere'):
        detector.encode(tmp_path / 'nowhere.jpg')
    with pytest.raises(PromptError):
        detector(detector.encode(picture), '')


def test_a_model_that_needs_words_for_all_it_does(standin_files):
    detector = load(*standin_files, device='cpu')
    with pytest.raises(ConfigError, match='ColorFinder cannot encode'):
        detector.encode(np.zeros((4, 4, 3), np.uint8))


def test_questions_about_one_file_compute_it_once(
    detector, picture, computed, tmp_path
):
    paths = [tmp_path / 'one.png', tmp_path / 'other.png']
    for path in paths:
        Image.fromarray(picture).save(path)
    first = detector(paths[0], 'cat', threshold=0.0)
    detector(paths[0], 'dog', threshold=0.0)
    assert len(computed) == 1
    detector(paths[1], 'dog', threshold=0.0)
    assert len(computed) == 2
    assert_same(detector(paths[0], 'cat', threshold=0.0), first)
    assert len(computed) == 3

    Image.fromarray(255 - picture).save(paths[0])  # the same name, another picture
    detector(paths[0], 'cat', threshold=0.0)
    assert len(computed) == 4
