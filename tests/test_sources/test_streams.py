"""Cameras of a network, videos that never end, and servers that fall silent."""

import io
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from clip_files import write_video
from PIL import Image

from glip.cli.run import Run
from glip.errors import ImageError
from glip.runtime.fetching import content_type
from glip.sources import Sampling, expand_sources, pictures_of, video

av = pytest.importorskip('av')


def jpeg(number):
    file = io.BytesIO()
    pixels = np.full((48, 64, 3), 40, np.uint8)
    pixels[8:40, 8 + number % 8 : 48] = (250, 20, 20)
    Image.fromarray(pixels).save(file, 'JPEG')
    return file.getvalue()


class Camera(BaseHTTPRequestHandler):
    """``/feed``: pictures for ever; ``/live.ts``: a clip, and then silence."""

    clip = b''
    closed = threading.Event()

    def do_GET(self):  # noqa: N802 (the name that the server calls)
        kinds = {
            '/feed': 'multipart/x-mixed-replace; boundary=part',
            '/clip': 'video/mp2t',
            '/picture': 'image/jpeg',
        }
        self.send_response(200)
        self.send_header('Content-Type', kinds.get(self.path, 'video/mp2t'))
        self.end_headers()
        try:
            if self.path == '/feed':
                for number in range(10**6):
                    data = jpeg(number)
                    head = f'Content-Type: image/jpeg\r\nContent-Length: {len(data)}'
                    self.wfile.write(f'--part\r\n{head}\r\n\r\n'.encode())
                    self.wfile.write(data + b'\r\n')
                    time.sleep(0.01)
            elif self.path == '/picture':
                self.wfile.write(jpeg(0))
            elif self.path != '/silent.ts':
                self.wfile.write(self.clip)
            if self.path.endswith('.ts'):
                self.wfile.flush()
                self.closed.wait()
        except OSError:
            pass  # the client went away

    def log_message(self, *args):
        pass


@pytest.fixture(scope='module')
def server(tmp_path_factory):
    path = tmp_path_factory.mktemp('clips') / 'clip.ts'
    write_video(path, sound=False)
    Camera.clip = path.read_bytes()
    with ThreadingHTTPServer(('127.0.0.1', 0), Camera) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{http.server_port}'
        Camera.closed.set()
        http.shutdown()


def test_what_an_address_is_says_its_server(server):
    words = [f'{server}/{name}' for name in ('feed', 'clip', 'picture', 'live.ts')]
    kinds = [source.kind for source in expand_sources(words).items]
    assert kinds == ['stream', 'video', 'picture', 'video']
    assert content_type('http://127.0.0.1:9/nobody') == ''


def test_frames_of_a_camera_that_never_ends(server):
    (source,) = expand_sources([f'{server}/feed']).items
    pictures = list(pictures_of(source, Sampling(limit=3)))
    assert [picture.frame for picture in pictures] == [0, 1, 2]
    assert all(picture.image.shape == (48, 64, 3) for picture in pictures)


def test_a_server_that_falls_silent_keeps_what_came_before(server, monkeypatch):
    monkeypatch.setattr(video, '_PATIENCE', 1.0)
    (source,) = expand_sources([f'{server}/live.ts']).items
    readers = []
    pictures = list(pictures_of(source, opened=readers.append))
    # What was sent to the last whole packet; the end may wait in the decoder.
    assert len(pictures) > 10
    assert 'no data' in readers[0].ended


def test_a_server_that_never_speaks_is_one_line(server, monkeypatch):
    monkeypatch.setattr(video, '_PATIENCE', 0.5)
    (source,) = expand_sources([f'{server}/silent.ts']).items
    with pytest.raises(ImageError, match='no data'):
        list(pictures_of(source))


def test_ctrl_c_keeps_boxes_and_video_of_a_stream(
    server, monkeypatch, capsys, tmp_path
):
    sys.path.append(str(Path(__file__).parents[1] / 'test_apis'))
    from standin import write_standin

    from glip.cli.app import main

    monkeypatch.chdir(tmp_path)
    config, weights = write_standin(tmp_path)
    keep = Run._keep

    def stop_after_four(run, detections, name):
        if run.counts.pictures == 4:
            raise KeyboardInterrupt
        keep(run, detections, name)

    monkeypatch.setattr(Run, '_keep', stop_after_four)
    words = ['--text', 'red', '--save', 'json,csv', '--out', 'o']
    model = ['--model', str(config), '--weights', str(weights)]
    for name, video_name in (('clip', 'clip.mkv'), ('feed', None)):
        assert main(['detect', f'{server}/{name}', *words, *model]) == 130
        assert capsys.readouterr().err.rstrip().endswith('stopped')
        records = [tmp_path / 'o/preds' / f'{name}_{n:06d}.json' for n in range(4)]
        labels = [json.loads(record.read_text())['label_names'] for record in records]
        boxes = (tmp_path / 'o/boxes.csv').read_text().splitlines()[1:]
        assert labels == [['red'] if name == 'feed' else []] * 4
        assert len(boxes) == sum(map(len, labels))
        if video_name:
            with av.open(str(tmp_path / 'o/vis' / video_name)) as written:
                assert len(list(written.decode(video=0))) == 4
