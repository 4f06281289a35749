"""The same with a real, tiny, untrained GLIP in place of the stand-in."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from glip.apis import Detector, build_model, load, read_config
from glip.errors import CheckpointError, ConfigError, PromptError

_CONFIG = Path(__file__).resolve().parents[2] / 'configs/glip/glip_nano_csp_minilm.py'


def tiny_config() -> Config:
    """GLIP-nano's config, narrowed; every location may become a box."""
    cfg = read_config(_CONFIG)
    cfg.model.neck.update(num_classes=8, num_bins=1)
    cfg.model.bbox_head.update(
        in_channels=16,
        feat_channels=16,
        num_dyhead_blocks=1,
        fusion=dict(embed_dim=16, num_heads=2),
    )
    cfg.model.language_model.config = dict(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    cfg.model.test_cfg.update(score_thr=0.0, max_per_img=20)
    return cfg


@pytest.fixture(scope='module')
def weights(tmp_path_factory) -> str:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('tiny') / 'tiny.pth'
    torch.save(build_model(tiny_config()).state_dict(), path)
    return str(path)


@pytest.fixture(scope='module')
def detector(weights) -> Detector:
    return load(tiny_config(), weights, 'cpu')


@pytest.fixture(scope='module')
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)


def same(one, other) -> bool:
    return one.names == other.names and np.allclose(one.boxes, other.boxes, atol=1e-2)


def test_boxes_scores_and_names(detector, picture):
    found = detector(picture, 'bench. Car', threshold=0.0)
    assert 0 < len(found) <= 20
    assert set(found.names) <= {'bench', 'Car'}
    assert (np.diff(found.scores) <= 0).all()
    x1, y1, x2, y2 = found.boxes.T
    assert (0 <= x1).all() and (x1 <= x2).all() and (x2 <= 120).all()
    assert (0 <= y1).all() and (y1 <= y2).all() and (y2 <= 90).all()


def test_batch_of_equal_pictures_is_as_single(detector, picture):
    alone = detector(picture, 'bench. car', threshold=0.0)
    batch = detector([picture] * 3, 'bench. car', threshold=0.0, batch_size=3)
    assert all(same(one, alone) for one in batch)


def test_different_prompts_in_a_batch(detector, picture):
    texts = ['cat. dog', [f'thing {i}' for i in range(40)], 'a man with a hat']
    batch = detector([picture] * 3, texts=texts, threshold=0.0, batch_size=3)
    for text, found in zip(texts, batch):
        assert same(found, detector(picture, text, threshold=0.0))


def test_chunks(detector, picture):
    names = [f'thing {i}' for i in range(30)]
    found = detector(picture, names, threshold=0.0, chunked_size=4)
    assert len(found) == 20  # one limit per picture
    assert [names[label] for label in found.labels] == found.names


@pytest.mark.parametrize('size', [(1, 1), (1, 900), (900, 1)])
def test_smallest_pictures(detector, size):
    found = detector(np.zeros((*size, 3), np.uint8), 'cat', threshold=0.0)
    assert found.size == size[::-1]


def test_a_name_too_long(detector, picture):
    with pytest.raises(PromptError):
        detector(picture, ['word ' * 400])


def test_weights_of_another_size(weights):
    with pytest.raises(CheckpointError):
        load(str(_CONFIG), weights, 'cpu')


def test_half_precision_finds_nearly_the_same(detector, weights, picture):
    half = load(tiny_config(), weights, 'cpu', amp=True)
    assert half.precision is torch.bfloat16 and detector.precision is None
    found, usual = (
        half(picture, 'red. blue', threshold=0),
        detector(picture, 'red. blue', threshold=0),
    )
    assert found.scores.dtype == usual.scores.dtype == np.float32
    assert found.boxes.dtype == usual.boxes.dtype
    assert not np.array_equal(found.scores, usual.scores)
    np.testing.assert_allclose(np.sort(found.scores), np.sort(usual.scores), atol=0.02)


def test_a_precision_that_the_machine_lacks_is_refused(weights, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(ConfigError, match='fp16 needs a GPU'):
        load(tiny_config(), weights, 'cpu', amp='fp16')


def test_words_are_encoded_once_until_the_weights_change(detector, picture):
    calls = []
    language = detector.model.language_model
    handle = language.register_forward_hook(lambda *_: calls.append(None))
    try:
        for _ in range(2):
            detector(picture, ['cat', 'bench'])
        assert len(calls) == 1
        detector.model.load_state_dict(detector.model.state_dict())
        detector(picture, ['cat', 'bench'])
        assert len(calls) == 2
    finally:
        handle.remove()


def _same(one, other) -> bool:
    fields = ('boxes', 'scores', 'labels')
    return all(np.array_equal(getattr(one, f), getattr(other, f)) for f in fields)


def test_calls_of_several_threads_keep_their_options(detector):
    picture = np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    names = ['cat', 'dog', 'bird', 'horse', 'car', 'tree', 'house', 'boat']

    def ask(chunked_size):
        return detector(picture, names, threshold=0.0, chunked_size=chunked_size)

    sizes = [1, 3, -1]
    alone = {size: ask(size) for size in sizes}
    assert len(alone[1]) and not _same(alone[1], alone[-1])
    with ThreadPoolExecutor(4) as pool:
        for size, detections in zip(sizes * 8, pool.map(ask, sizes * 8)):
            assert _same(detections, alone[size])


def test_pickled(detector):
    picture = np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    detections = detector(picture, ['cat', 'dog'], threshold=0.0)
    copy = pickle.loads(pickle.dumps(detector))
    assert len(detections) and _same(
        copy(picture, ['cat', 'dog'], threshold=0.0), detections
    )
