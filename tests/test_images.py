"""Pictures of every kind become the same upright BGR array, or one clear line."""

from __future__ import annotations

import http.server
import socket
import threading

import numpy as np
import pytest
from PIL import Image

from glip.errors import ImageError
from glip.images import PictureHeader, find_images, load_image, read_header


@pytest.fixture(scope='module')
def rgb() -> np.ndarray:
    """Upper left red, upper right green, lower half blue; 6 high, 8 wide."""
    picture = np.zeros((6, 8, 3), np.uint8)
    picture[:3, :4, 0] = 255
    picture[:3, 4:, 1] = 255
    picture[3:, :, 2] = 255
    return picture


def test_array_layouts(rgb):
    bgr = rgb[..., ::-1]
    assert np.array_equal(load_image(bgr), bgr)
    alpha = np.full((6, 8, 1), 7, np.uint8)
    assert np.array_equal(load_image(np.concatenate([bgr, alpha], axis=2)), bgr)
    gray = np.arange(48, dtype=np.uint8).reshape(6, 8)
    for form in (gray, gray[..., None]):
        loaded = load_image(form)
        assert loaded.shape == (6, 8, 3) and (loaded == gray[..., None]).all()
    assert load_image(bgr[:, ::2]).flags.c_contiguous


@pytest.mark.parametrize(
    ('array', 'said'),
    [
        (np.full((4, 4, 3), 7, np.float32), 'floats from 7 to 7'),
        (np.full((4, 4, 3), np.nan, np.float32), 'floats from nan'),
        (np.zeros((4, 4, 3), np.int64), 'int64'),
        (np.zeros((3, 40, 40), np.uint8), r'\(3, 40, 40\)'),
        (np.zeros((2, 4, 4, 3), np.uint8), r'\(2, 4, 4, 3\)'),
        (np.zeros((0, 4, 3), np.uint8), 'no pixels'),
    ],
)
def test_array_that_is_no_picture(array, said):
    with pytest.raises(ImageError, match=said):
        load_image(array)


@pytest.mark.parametrize('kind', [None, 3.5, {'a': 1}])
def test_object_that_is_no_picture(kind):
    with pytest.raises(ImageError, match='is not a picture'):
        load_image(kind)


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'P', 'YCbCr', 'HSV', 'CMYK', 'RGBa'])
def test_colour_modes(rgb, mode):
    image = Image.fromarray(rgb)
    if mode == 'RGBa':
        image = image.convert('RGBA')
    image = image.convert(mode)
    difference = np.abs(load_image(image).astype(int) - rgb[..., ::-1]).max()
    assert difference <= 4


@pytest.mark.parametrize('suffix', ['png', 'bmp', 'gif', 'tif', 'webp', 'ppm'])
def test_files(rgb, tmp_path, suffix):
    path = tmp_path / f'picture.{suffix}'
    Image.fromarray(rgb).save(path, **({'lossless': True} if suffix == 'webp' else {}))
    for source in (path, str(path)):
        assert np.array_equal(load_image(source), rgb[..., ::-1])


def test_cmyk_jpeg(tmp_path):
    path = tmp_path / 'print.jpg'
    Image.new('CMYK', (16, 16), (0, 255, 255, 0)).save(path, quality=95)
    assert np.abs(load_image(path).astype(int) - [0, 0, 255]).max() < 12


def test_palette_with_transparency(tmp_path):
    image = Image.new('P', (4, 4), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    path = tmp_path / 'palette.png'
    image.save(path, transparency=bytes([0, 128]))
    assert (load_image(path) == [50, 100, 200]).all()


def test_one_bit_and_gray(tmp_path):
    bits = Image.fromarray(np.eye(5, dtype=bool))
    gray = Image.fromarray(np.eye(5, dtype=np.uint8) * 255)
    bits.save(tmp_path / 'bits.png')
    gray.save(tmp_path / 'gray.png')
    expected = np.eye(5)[..., None] * [255, 255, 255]
    assert np.array_equal(load_image(tmp_path / 'bits.png'), expected)
    assert np.array_equal(load_image(tmp_path / 'gray.png'), expected)


@pytest.mark.parametrize('suffix', ['png', 'tif'])
def test_16_bit_gray_keeps_its_tones(tmp_path, suffix):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    path = tmp_path / f'deep.{suffix}'
    Image.fromarray(ramp).save(path)
    assert np.abs(load_image(path)[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_float_tiff(tmp_path):
    path = tmp_path / 'float.tif'
    values = np.array([[0.0, 0.5], [1.0, np.nan]], np.float32)
    Image.fromarray(values).save(path)
    assert load_image(path)[..., 0].tolist() == [[0, 128], [255, 0]]


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new('RGB', (5, 5), color) for color in ('red', 'lime', 'blue')]
    path = tmp_path / 'moving.gif'
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert (load_image(path) == [0, 0, 255]).all()


# How a camera that was turned stores an upright picture, per EXIF orientation.
_STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize('orientation', range(1, 9))
def test_exif_orientation(rgb, tmp_path, orientation):
    stored = Image.fromarray(np.ascontiguousarray(_STORED[orientation](rgb)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / 'turned.png'
    stored.save(path, exif=exif)
    assert np.array_equal(load_image(path), rgb[..., ::-1])
    with Image.open(path) as opened:
        assert np.array_equal(load_image(opened), rgb[..., ::-1])
        assert opened.size == stored.size  # the caller's image is left alone


def test_damaged_exif_is_none(rgb, tmp_path, recwarn):
    path = tmp_path / 'exif.png'
    Image.fromarray(rgb).save(path, exif=b'Exif\0\0MM\0*\xff\xff\xff\xff')
    assert np.array_equal(load_image(path), rgb[..., ::-1])
    assert not recwarn


def _truncated(path, rgb):
    noise = np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-2000])


@pytest.mark.parametrize(
    ('name', 'make', 'said'),
    [
        ('missing.jpg', lambda path, rgb: None, 'no such file'),
        ('empty.jpg', lambda path, rgb: path.touch(), 'empty'),
        ('folder.jpg', lambda path, rgb: path.mkdir(), 'folder'),
        ('text.jpg', lambda path, rgb: path.write_text('hello'), 'not a picture'),
        ('cut.jpg', _truncated, 'truncated'),
        ('cut.png', _truncated, 'cannot be read'),
        ('cut.tif', _truncated, 'cannot be read'),
        ('x' * 300 + '.jpg', lambda path, rgb: None, 'cannot be read'),
    ],
)
def test_bad_files_are_named_in_one_line(rgb, tmp_path, name, make, said):
    path = tmp_path / name
    make(path, rgb)
    with pytest.raises(ImageError, match=said) as caught:
        load_image(path)
    message = str(caught.value)
    assert name in message and '\n' not in message


def test_null_in_a_path():
    with pytest.raises(ImageError, match='cannot be read'):
        load_image('a\0b.jpg')


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'gif', 'bmp', 'tif', 'webp'])
def test_damage_anywhere_is_an_image_error(rgb, tmp_path, suffix):
    path = tmp_path / f'good.{suffix}'
    Image.fromarray(rgb).resize((40, 40)).save(path)
    good = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(good[: random.integers(1, len(good) + 1)])
        for place in random.integers(0, len(data), 4):
            data[place] = random.integers(256)
        path.write_bytes(data)
        try:
            loaded = load_image(path)
        except ImageError as error:
            assert '\n' not in str(error)
        else:
            assert loaded.dtype == np.uint8 and loaded.shape[2] == 3


def test_large_is_allowed_and_too_large_is_refused(monkeypatch, tmp_path, recwarn):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1000)
    path = tmp_path / 'large.png'
    Image.new('RGB', (40, 40)).save(path)  # above the warning, below the error
    assert load_image(path).shape == (40, 40, 3)
    assert not recwarn
    Image.new('RGB', (50, 50)).save(path)
    with pytest.raises(ImageError, match='million pixels'):
        load_image(path)


def test_closed_pil_image(rgb, tmp_path):
    path = tmp_path / 'a.png'
    Image.fromarray(rgb).save(path)
    with Image.open(path) as image:
        pass
    with pytest.raises(ImageError):
        load_image(image)


@pytest.fixture
def server(rgb, tmp_path):
    """A web server on this machine with one picture and one empty file."""
    (tmp_path / 'web').mkdir()
    Image.fromarray(rgb).save(tmp_path / 'web' / 'a bé.png')
    (tmp_path / 'web' / 'empty.png').touch()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, directory=str(tmp_path / 'web'), **kwargs)

        def log_message(self, *args):
            pass

    httpd = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f'http://127.0.0.1:{httpd.server_port}'
    httpd.shutdown()
    httpd.server_close()


def test_address(rgb, server):
    for name in ('a bé.png', 'a%20b%C3%A9.png'):
        assert np.array_equal(load_image(f'{server}/{name}'), rgb[..., ::-1])
    for name, said in (('none.png', '404'), ('empty.png', 'empty')):
        with pytest.raises(ImageError, match=said) as caught:
            load_image(f'{server}/{name}')
        assert f'{server}/{name}' in str(caught.value)


@pytest.mark.parametrize('url', ['http://127.0.0.1:9/a.jpg', 'http://[bad', 'https://'])
def test_address_that_leads_nowhere(url):
    with pytest.raises(ImageError) as caught:
        load_image(url, timeout=2)
    assert url in str(caught.value)


def test_find_images(tmp_path):
    for name in ('b.JPG', 'a.png', '.hidden.png', '._a.png', 'notes.txt'):
        (tmp_path / name).touch()
    (tmp_path / 'sub.png').mkdir()
    assert [path.name for path in find_images(tmp_path)] == ['a.png', 'b.JPG']
    with pytest.raises(ImageError, match='no pictures'):
        find_images(tmp_path / 'sub.png')
    with pytest.raises(ImageError, match='none'):
        find_images(tmp_path / 'none')


@pytest.mark.parametrize('progressive', [False, True])
@pytest.mark.parametrize('restarts', [0, 1])
@pytest.mark.parametrize('cut', [1, 2, 40])
def test_jpeg_without_its_end(tmp_path, progressive, restarts, cut):
    pixels = np.random.default_rng(0).integers(0, 255, (50, 70, 3)).astype(np.uint8)
    path = tmp_path / 'a.jpg'
    options = {'restart_marker_blocks': restarts} if restarts else {}
    Image.fromarray(pixels).save(path, progressive=progressive, **options)
    whole = load_image(path)
    path.write_bytes(path.read_bytes()[:-cut])
    if cut <= 2:
        assert np.array_equal(load_image(path), whole)
        with Image.open(path) as image:
            assert np.array_equal(load_image(image), whole)
    else:  # pixels are missing
        with pytest.raises(ImageError, match='cannot be read'):
            load_image(path)


def test_header(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (30, 20)).save(tmp_path / 'a.jpg', exif=exif)
    assert read_header(tmp_path / 'a.jpg') == PictureHeader(20, 30, True)
    Image.new('L', (30, 20)).save(tmp_path / 'b.png')
    assert read_header(tmp_path / 'b.png') == PictureHeader(30, 20, False)
    (tmp_path / 'c.png').write_text('x')
    with pytest.raises(ImageError):
        read_header(tmp_path / 'c.png')


@pytest.mark.parametrize('slow', ['body', 'head'])
def test_a_server_that_sends_a_byte_at_a_time_is_given_up(slow):
    stop = threading.Event()

    def serve(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            line = b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n'
            if slow == 'body':
                connection.sendall(line)
            while not stop.is_set():
                try:
                    connection.sendall(b'x' if slow == 'body' else b'H')
                except OSError:
                    return
                stop.wait(0.05)

    with socket.create_server(('127.0.0.1', 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        url = f'http://127.0.0.1:{listener.getsockname()[1]}/a.jpg'
        try:
            with pytest.raises(ImageError, match='not there after'):
                load_image(url, timeout=0.2)
        finally:
            stop.set()
            thread.join()
