"""Exported graphs find what the model finds, for any size and any words."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from tiny_model import tiny_detector

import glip
from glip.apis import Detector
from glip.cli.app import main
from glip.errors import CheckpointError, ConfigError, GLIPError, PromptError
from glip.export import export_onnx
from glip.export.precision import write_smaller
from glip.text import parse_text

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.slow  # each trace takes some ten seconds

WORDS = 'dog. red bicycle. car'


def make_detector(early_fuse: bool) -> Detector:
    """With fusion its windows are those of GLIP-L, of which a picture has several."""
    changes = {'bbox_head.early_fuse': early_fuse}
    if not early_fuse:
        return tiny_detector(changes)
    return tiny_detector(changes | {'backbone.window_size': 12}, scale=(448, 480))


def pictures():
    rng = np.random.default_rng(0)
    return [
        rng.integers(0, 255, (h, w, 3), np.uint8) for h, w in ((90, 140), (200, 120))
    ]


def same(ours, theirs, turned=0):
    """The same boxes; of equal scores the order is that of rounding.

    Args:
        ours: Of the model.
        theirs: Of a graph.
        turned: Decisions of the NMS at its threshold that float32 may turn.
    """
    assert len(ours) == len(theirs) > 10
    left = list(range(len(theirs)))
    missing = []
    for box, score, name in zip(ours.boxes, ours.scores, ours.names):
        alike = [
            index
            for index in left
            if theirs.names[index] == name
            and abs(theirs.scores[index] - score) < 1e-5
            and np.allclose(theirs.boxes[index], box, atol=2e-2)
        ]
        if alike:
            left.remove(alike[0])
        else:
            missing.append((name, score, box))
    assert len(missing) <= turned, missing


@pytest.fixture(scope='module', params=[False, True], ids=['unfused', 'fused'])
def exported(request, tmp_path_factory):
    """A detector, and the file that words are an input of."""
    detector = make_detector(request.param)
    path = tmp_path_factory.mktemp('onnx') / 'model.onnx'
    files = export_onnx(detector.model, detector.cfg, path)
    assert [file.name for file in files] == ['model.onnx', 'model.words.onnx']
    return detector, path


def test_words_as_input(exported):
    detector, path = exported
    session = glip.load(str(path))
    assert session.default_threshold == 0.0
    for picture in pictures():
        for words in (WORDS, 'a man with his dog', ['one thing']):
            same(detector(picture, words), session(picture, words))


def test_encoded_pictures_and_chunks(exported):
    detector, path = exported
    session = glip.load(str(path))
    encoded = session.encode(pictures()[0])
    for size in (-1, 1):
        ours = detector(pictures()[0], WORDS, chunked_size=size)
        same(ours, session(encoded, WORDS, chunked_size=size))


def test_words_in_the_graph(tmp_path):
    detector = tiny_detector()
    path = tmp_path / 'baked.onnx'
    prompt = parse_text(WORDS)
    (file,) = export_onnx(detector.model, detector.cfg, path, prompt=prompt)
    session = glip.load(str(file))
    for picture in pictures():
        same(detector(picture, WORDS), session(picture, WORDS), turned=1)
    with pytest.raises(PromptError, match='red bicycle'):
        session(pictures()[0], 'cat')


@pytest.mark.parametrize(
    'precision, share, apart', [('fp16', 0.75, 0.01), ('int8', 0.85, 0.1)]
)
def test_smaller_weights(exported, tmp_path, precision, share, apart):
    detector, path = exported
    out = tmp_path / 'small.onnx'
    sizes = []
    for name, smaller in (
        (path, out),
        (path.with_suffix('.words.onnx'), tmp_path / 'small.words.onnx'),
    ):
        write_smaller(onnx.load(str(name)), smaller, precision)
        sizes.append((smaller.stat().st_size, name.stat().st_size))
    small, large = map(sum, zip(*sizes))
    assert small < share * large
    picture = pictures()[0]
    ours, theirs = detector(picture, WORDS), glip.load(str(out))(picture, WORDS)
    difference = abs(ours.scores.max() - theirs.scores.max())
    assert 0 < difference < apart


def test_copies(exported):
    detector, path = exported
    session = glip.load(str(path))
    picture = pictures()[0]
    for other in (copy.deepcopy(session), pickle.loads(pickle.dumps(session))):
        same(session(picture, WORDS), other(picture, WORDS))


def test_files_that_are_none(exported, tmp_path):
    detector, path = exported
    for name, content in (('empty.onnx', b''), ('text.onnx', b'no graph')):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=name):
            glip.load(str(tmp_path / name))
    with pytest.raises(CheckpointError, match='no such file'):
        glip.load(str(tmp_path / 'missing.onnx'))
    with pytest.raises(CheckpointError, match='words'):
        glip.load(str(path.with_suffix('.words.onnx')))
    alone = tmp_path / 'alone.onnx'
    alone.write_bytes(path.read_bytes())
    with pytest.raises(CheckpointError, match='alone.words.onnx'):
        glip.load(str(alone))
    with pytest.raises(ConfigError, match='amp'):
        glip.load(str(path), amp=True)
    with pytest.raises(ConfigError, match=r'\.onnx'):
        export_onnx(detector.model, detector.cfg, tmp_path / 'model.pt')
    with pytest.raises(ConfigError, match='int4'):
        export_onnx(detector.model, detector.cfg, tmp_path / 'a.onnx', precision='int4')
    with pytest.raises(GLIPError, match='opset'):
        export_onnx(detector.model, detector.cfg, tmp_path / 'a.onnx', opset=99)


def test_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(['export', 'glip-nano', '--format', 'tensorrt']) == 1
    assert main(['export', 'no-such-model']) == 1
    assert capsys.readouterr().err.count('error: ') == 2
