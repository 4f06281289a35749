"""Every kind of picture becomes upright 8-bit BGR."""

import numpy as np
import pytest
from PIL import Image

from glip.datasets import LoadImageFromFile
from glip.errors import ImageError

GRADIENT = np.linspace(0, 255, 24 * 36).reshape(24, 36).astype(np.uint8)
RGB = np.stack([GRADIENT, GRADIENT[::-1], GRADIENT[:, ::-1]], axis=2)


def load(path, **record):
    return LoadImageFromFile()({'img_path': str(path)} | record)


def test_rgb_becomes_bgr(tmp_path):
    Image.fromarray(RGB).save(tmp_path / 'a.png')
    results = load(tmp_path / 'a.png', height=24, width=36)
    assert np.array_equal(results['img'], RGB[..., ::-1])
    assert results['img_shape'] == results['ori_shape'] == (24, 36)
    floats = LoadImageFromFile(to_float32=True)({'img_path': str(tmp_path / 'a.png')})
    assert floats['img'].dtype == np.float32


@pytest.mark.parametrize('mode', ['L', 'P', 'CMYK', '1', 'RGBA', 'LA', 'YCbCr', 'I;16'])
def test_modes(tmp_path, mode):
    if mode == 'I;16':
        image, path = Image.fromarray(GRADIENT.astype(np.uint16) * 257), 'a.png'
    else:
        image = Image.fromarray(RGB).convert(mode)
        # Before version 13 Pillow could write TIFFs of YCbCr but not read them.
        path = {'CMYK': 'a.tiff', 'YCbCr': 'a.jpg'}.get(mode, 'a.png')
    image.save(tmp_path / path)
    loaded = load(tmp_path / path)['img']
    assert loaded.shape == (24, 36, 3) and loaded.dtype == np.uint8
    assert loaded.std() > 10
    if mode == 'I;16':
        assert np.array_equal(loaded, np.repeat(GRADIENT[..., None], 3, axis=2))


@pytest.mark.parametrize('orientation', range(1, 9))
def test_orientation_is_honoured_unless_boxes_are_of_the_stored_picture(
    tmp_path, orientation
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(tmp_path / 'a.png', exif=exif)
    turned = orientation >= 5
    height, width = (36, 24) if turned else (24, 36)
    upright = load(tmp_path / 'a.png', height=height, width=width)
    assert upright['img'].shape[:2] == (height, width)
    if turned:
        stored = load(tmp_path / 'a.png', height=24, width=36)
        assert np.array_equal(stored['img'], RGB[..., ::-1])
        assert stored['img'].flags.c_contiguous
    elif orientation > 1:
        assert not np.array_equal(upright['img'], RGB[..., ::-1])


def test_wrong_size_is_said_once(tmp_path, caplog, capsys):
    Image.fromarray(RGB).save(tmp_path / 'a.png')
    transform = LoadImageFromFile()
    record = {'img_path': str(tmp_path / 'a.png'), 'height': 48, 'width': 72}
    for _ in range(3):
        assert transform(dict(record))['img'].shape == (24, 36, 3)
    said = caplog.text + capsys.readouterr().out + capsys.readouterr().err
    assert said.count('annotated as 72x48') <= 1
    assert transform._warned


def test_unreadable_pictures_are_named(tmp_path):
    (tmp_path / 'empty.jpg').touch()
    (tmp_path / 'text.jpg').write_text('hello')
    for name in ('none.jpg', 'empty.jpg', 'text.jpg'):
        with pytest.raises(ImageError, match=name):
            load(tmp_path / name)
        ignoring = LoadImageFromFile(ignore_empty=True)
        assert ignoring({'img_path': str(tmp_path / name)}) is None


def test_other_file_backends(tmp_path):
    Image.fromarray(RGB).save(tmp_path / 'a.png')
    transform = LoadImageFromFile(backend_args={'backend': 'local'})
    loaded = transform({'img_path': str(tmp_path / 'a.png')})['img']
    assert np.array_equal(loaded, RGB[..., ::-1])
    (tmp_path / 'b.png').write_text('no picture')
    for name in ('b.png', 'c.png'):
        with pytest.raises(ImageError, match=name):
            transform({'img_path': str(tmp_path / name)})


def test_only_colour():
    with pytest.raises(ValueError, match='color_type'):
        LoadImageFromFile(color_type='grayscale')
