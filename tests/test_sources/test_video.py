"""Videos are read by frames, and written with boxes and their own sound."""

import numpy as np
import pytest
from clip_files import COUNT, RATE, write_video
from PIL import Image

from glip.errors import GLIPError, ImageError
from glip.sources import Sampling, Source, pictures_of
from glip.sources.annotated import AnnotatedVideo
from glip.sources.video import VideoReader

av = pytest.importorskip('av')


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp('video') / 'clip.mp4'
    write_video(path)
    return path


def taken(path, **sampling):
    pictures = pictures_of(Source('video', str(path)), Sampling(**sampling))
    return list(pictures)


def test_frames_with_their_times(clip):
    pictures = taken(clip)
    assert [picture.frame for picture in pictures] == list(range(COUNT))
    assert [p.time for p in pictures] == pytest.approx([n / RATE for n in range(COUNT)])
    brightness = [float(picture.image.mean()) for picture in pictures]
    assert np.allclose(brightness, [10 * n for n in range(COUNT)], atol=4)


def test_sampling(clip):
    assert [p.frame for p in taken(clip, stride=6)] == [0, 6, 12, 18]
    assert [p.frame for p in taken(clip, fps=2)] == [0, 5, 10, 15]
    assert [p.frame for p in taken(clip, fps=100, limit=3)] == [0, 1, 2]
    with VideoReader(Source('video', str(clip))) as reader:
        assert reader.count(Sampling(stride=6)) == 4
        assert reader.count(Sampling(limit=3)) == 3


@pytest.mark.parametrize(
    'wrong',
    [dict(stride=0), dict(fps=0), dict(fps=float('nan')), dict(stride=2, fps=1)],
)
def test_sampling_that_has_no_meaning(wrong):
    with pytest.raises(GLIPError):
        Sampling(**wrong)


def packets(path):
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(audio=0)]


@pytest.mark.parametrize('sound', [True, False])
def test_annotated_video_keeps_times_and_sound(tmp_path, sound):
    write_video(tmp_path / 'in.mp4', sound=sound)
    with VideoReader(Source('video', str(tmp_path / 'in.mp4'))) as reader:
        with AnnotatedVideo(tmp_path / 'out', reader) as video:
            for frame in reader.frames(Sampling(stride=5)):
                video.write(Image.fromarray(frame.pixels[..., ::-1].copy()), frame.pts)
    assert video.path == tmp_path / 'out.mp4'
    times = [p.time for p in taken(video.path)]
    assert times == pytest.approx([0, 0.5, 1, 1.5], abs=0.01)
    if sound:
        assert packets(video.path) == packets(tmp_path / 'in.mp4')
    assert not list(tmp_path.glob('.*'))  # nothing half-written is left


def test_an_error_leaves_no_video(clip, tmp_path):
    with VideoReader(Source('video', str(clip))) as reader:
        with pytest.raises(RuntimeError, match='stop'):
            with AnnotatedVideo(tmp_path / 'out', reader) as video:
                video.write(Image.new('RGB', (64, 48)), 0)
                raise RuntimeError('stop')
    assert not list(tmp_path.iterdir())


def test_damaged_and_missing_videos(clip, tmp_path):
    data = clip.read_bytes()
    cut = tmp_path / 'cut.mp4'
    cut.write_bytes(data[: len(data) // 3])
    (tmp_path / 'no.mp4').write_bytes(b'not a video')
    (tmp_path / 'empty.mp4').touch()
    for name in ('cut.mp4', 'no.mp4', 'empty.mp4', 'missing.mp4', ''):
        with pytest.raises(ImageError):
            taken(tmp_path / name)


def test_a_video_without_pictures(tmp_path):
    with av.open(str(tmp_path / 'sound.mp4'), 'w') as container:
        audio = container.add_stream('aac', rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), 'f4'), 'fltp', 'mono')
        frame.sample_rate = 44100
        container.mux(audio.encode(frame))
        container.mux(audio.encode())
    with pytest.raises(ImageError, match='no pictures'):
        taken(tmp_path / 'sound.mp4')
