"""Pictures go in and boxes come back: order, batches, prompts, coordinates."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from standin import scene

from glip.apis import Detections
from glip.errors import ConfigError, ImageError, PromptError
from glip.text import TextPrompt

WORDS = 'red. green. blue'
NO_SCORES = (None, float('nan'), float('inf'), -0.1, 1.5, '0.3', '', True)


def box_of(found: Detections, name: str) -> list[float]:
    return found.boxes[found.names.index(name)].tolist()


def test_one_picture(detector):
    picture = scene(300, 200, red=(10, 20, 110, 120), blue=(200, 50, 290, 190))
    found = detector(picture, WORDS, threshold=0.01)
    assert isinstance(found, Detections)
    assert found.names == ['blue', 'red']  # best first
    assert found.labels.tolist() == [2, 0]  # as the user counted
    assert found.size == (300, 200) and found.image is None
    assert box_of(found, 'red') == pytest.approx([10, 20, 110, 120], abs=1.5)
    assert box_of(found, 'blue') == pytest.approx([200, 50, 290, 190], abs=1.5)


@pytest.mark.parametrize('size', [(40, 30), (333, 77), (900, 1200), (64, 2000)])
def test_boxes_are_in_original_pixels(detector, size):
    width, height = size
    box = (width // 4, height // 4, width // 2, height // 2)
    found = detector(scene(width, height, green=box), WORDS, threshold=0.01)
    step = max(width / 160, height / 160, 1) * 2
    assert box_of(found, 'green') == pytest.approx(box, abs=step)


def test_without_a_threshold_the_one_of_the_config_holds(detector):
    picture = scene(100, 100, red=(10, 10, 50, 60), blue=(70, 70, 80, 80))
    assert detector.default_threshold == 0.3
    assert not len(detector(picture, WORDS))
    detector.cfg.default_threshold = 0.15
    assert detector.default_threshold == 0.15
    assert detector(picture, WORDS).names == ['red']
    detector.cfg.default_threshold = 0.005
    assert len(detector(picture, WORDS)) == 2
    assert detector(picture, WORDS, threshold=0.15).names == ['red']


@pytest.mark.parametrize('threshold', [-0.1, 1.5, 'high', None])
def test_a_default_threshold_that_is_no_score_is_refused(detector, threshold):
    detector.cfg.default_threshold = threshold
    with pytest.raises(ConfigError, match='default_threshold'):
        detector(scene(20, 20), WORDS)


@pytest.mark.parametrize(
    'options',
    [
        *({'threshold': value} for value in NO_SCORES),
        *({'batch_size': value} for value in (0, -1, 1.5, float('nan'), '2', None)),
        *({'chunked_size': value} for value in (-2, 1.5, '7')),
    ],
)
def test_options_that_mean_nothing_are_refused(detector, options):
    with pytest.raises(ConfigError):
        detector(scene(64, 32, red=(0, 0, 9, 9)), WORDS, **options)
    assert not detector.model.batches


def test_thresholds_of_numpy(detector):
    picture = scene(64, 32, red=(0, 0, 31, 31))
    detections = detector(picture, 'red', threshold=np.float32(0.2))
    assert len(detections.above(np.float64(0.25))) == 1
    with pytest.raises(ConfigError):
        detections.above(float('nan'))


def test_threshold(detector):
    picture = scene(200, 200, red=(0, 0, 100, 100), blue=(150, 150, 200, 200))
    assert detector(picture, WORDS, threshold=0.2).names == ['red']
    assert detector(picture, WORDS).names == []  # 0.3 unless told
    assert detector(picture, WORDS, threshold='default').names == []
    assert len(detector(picture, WORDS, threshold=0.0)) == 2


def test_every_kind_of_picture_is_the_same(detector, tmp_path):
    array = scene(120, 90, red=(10, 10, 60, 70))
    image = Image.fromarray(np.ascontiguousarray(array[..., ::-1]))
    path = tmp_path / 'a.png'
    image.save(path)
    expected = detector(array, 'red', threshold=0.1)
    for source in (image, path, str(path)):
        found = detector(source, 'red', threshold=0.1)
        assert np.array_equal(found.boxes, expected.boxes)
        assert np.array_equal(found.scores, expected.scores)
        assert np.array_equal(np.asarray(found.plot()), np.asarray(expected.plot()))
    assert detector(path, 'red').image == str(path)


def test_exif_boxes_belong_to_the_upright_picture(detector, tmp_path):
    upright = scene(160, 100, red=(5, 10, 65, 90))
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.ascontiguousarray(np.rot90(upright)[..., ::-1])
    path = tmp_path / 'turned.png'
    Image.fromarray(stored).save(path, exif=exif)
    found = detector(path, 'red', threshold=0.1)
    assert found.size == (160, 100)
    assert box_of(found, 'red') == pytest.approx([5, 10, 65, 90], abs=1.5)
    assert found.plot().size == (160, 100)


@pytest.mark.parametrize('batch_size', [1, 2, 3, 10])
def test_batches_keep_order_and_results(detector, batch_size):
    pictures = [
        scene(100 + 20 * i, 180 - 20 * i, red=(i * 5, 10, 60 + i * 5, 70))
        for i in range(5)
    ]
    alone = [detector(picture, WORDS, threshold=0.05) for picture in pictures]
    detector.model.batches.clear()
    found = detector(pictures, WORDS, threshold=0.05, batch_size=batch_size)
    full, rest = divmod(5, batch_size)
    assert detector.model.batches == [batch_size] * full + [rest] * bool(rest)
    for one, other in zip(found, alone, strict=True):
        assert one.size == other.size
        assert np.allclose(one.boxes, other.boxes)


def test_prompt_per_picture(detector):
    picture = scene(200, 100, red=(0, 0, 90, 90), blue=(100, 0, 190, 90))
    texts = ['blue', ['red', 'blue'], 'green. red', TextPrompt.from_classes(['red'])]
    found = detector([picture] * 4, texts=texts, batch_size=4)
    assert [sorted(one.names) for one in found] == [
        ['blue'],
        ['blue', 'red'],
        ['red'],
        ['red'],
    ]
    assert found[0].labels.tolist() == [0] and found[2].labels.tolist() == [1]
    assert detector.model.batches[-1] == 4


def test_list_of_names_is_for_all_pictures(detector):
    pictures = [scene(64, 64, red=(0, 0, 60, 60)), scene(64, 64, blue=(0, 0, 60, 60))]
    found = detector(pictures, ['red', 'blue'])
    assert [one.names for one in found] == [['red'], ['blue']]


def test_any_iterable(detector):
    pictures = [scene(64, 64, red=(0, 0, 60, 60))] * 3
    assert detector([], 'red') == []
    assert [len(one) for one in detector(tuple(pictures), 'red')] == [1] * 3
    found = detector(iter(pictures), 'red', batch_size=2)
    assert [len(one) for one in found] == [1] * 3


def test_stream_reads_no_further_than_asked(detector):
    read = []

    def pictures():
        for i in range(100):
            read.append(i)
            yield scene(64, 64, red=(0, 0, 60, 60))

    results = detector.stream(pictures(), 'red', batch_size=2)
    assert next(results).names == ['red'] and len(read) == 2


def test_one_pixel_and_needles(detector):
    for height, width in ((1, 1), (1, 3000), (3000, 1), (2, 2)):
        picture = np.full((height, width, 3), (0, 0, 255), np.uint8)
        found = detector(picture, 'red')
        assert found.size == (width, height)
        assert found.boxes.tolist() == [[0, 0, width, height]]
        assert found.plot().size == (width, height)


def test_boxes_never_leave_the_picture(detector):
    picture = scene(7, 5, red=(0, 0, 7, 5))
    assert detector(picture, 'red').boxes.tolist() == [[0, 0, 7, 5]]


def test_bad_picture_among_good_ones(detector, tmp_path):
    (tmp_path / 'empty.jpg').touch()
    good = scene(64, 64, red=(0, 0, 60, 60))
    pictures = [good, str(tmp_path / 'empty.jpg'), good, 'none.jpg', good]
    for batch_size in (1, 2, 5):
        with pytest.raises(ImageError, match='empty.jpg'):
            detector(pictures, 'red', batch_size=batch_size)
        found = detector(pictures, 'red', batch_size=batch_size, on_error='return')
        assert [isinstance(one, ImageError) for one in found] == [0, 1, 0, 1, 0]
        assert 'none.jpg' in str(found[3]) and found[4].names == ['red']


@pytest.mark.parametrize('text', [None, '', '  ', '...', [], [''], '?!'])
def test_nothing_to_look_for(detector, text):
    with pytest.raises(PromptError):
        detector(scene(9, 9), text)
    with pytest.raises(PromptError):  # even if there are no pictures
        detector([], text)


def test_texts_must_fit_the_pictures(detector):
    picture = scene(9, 9)
    for texts in (['red'], ['red'] * 3, [], 'red'):
        with pytest.raises(PromptError):
            detector([picture] * 2, texts=texts)
    with pytest.raises(PromptError, match='more pictures'):
        detector(iter([picture] * 2), texts=['red'])
    with pytest.raises(PromptError, match='alone'):
        detector([picture], 'red', texts=['red'])


@pytest.mark.parametrize('images', [None, 5, [None], [[scene(9, 9)]]])
def test_not_a_picture(detector, images):
    with pytest.raises(ImageError):
        detector(images, 'red')


def test_unusable_options(detector):
    with pytest.raises(ValueError):
        detector(scene(9, 9), 'red', batch_size=0)
    with pytest.raises(ValueError):
        detector(scene(9, 9), 'red', on_error='ignore')


def test_spans(detector):
    found = detector(
        scene(64, 64, red=(0, 0, 60, 60)), 'a red thing', tokens_positive=[[[2, 5]]]
    )
    assert found.names == ['red']


def test_sample_carries_what_the_model_needs(detector):
    detector(scene(64, 32, red=(0, 0, 9, 9)), 'red')
    meta = detector.model.metainfo[-1]
    assert meta['text'].names == ('red',)
    assert meta['ori_shape'] == (32, 64) and meta['scale_factor'] == (5.0, 5.0)


def test_chunked_size_is_for_one_call(detector):
    picture = scene(64, 32, red=(0, 0, 9, 9))
    detector(picture, 'red', chunked_size=7)
    detector(picture, 'red')
    assert detector.model.chunks == [7, 40] and detector.model.chunked_size == 40


def test_one_picture_in_every_form(detector, tmp_path):
    picture = scene(120, 80, red=(16, 16, 80, 64))
    path = tmp_path / 'scene.png'
    Image.fromarray(picture[..., ::-1]).save(path)
    forms = {
        'bytes': path.read_bytes(),
        'file': io.BytesIO(path.read_bytes()),
        'floats': picture.astype(np.float32) / 255,
        'tensor': torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1),
        'float tensor': torch.from_numpy(picture[..., ::-1] / 255).permute(2, 0, 1),
    }
    expected = detector(picture, 'red')
    for name, form in forms.items():
        detections = detector(form, 'red')
        assert np.array_equal(detections.boxes, expected.boxes), name
        assert detections.plot().size == (120, 80), name
    rgb = np.ascontiguousarray(picture[..., ::-1])
    assert detector(rgb, 'red', rgb=True).names == ['red']
    assert detector(rgb, 'red').names == []
