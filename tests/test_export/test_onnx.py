"""Exported graphs find what the model finds, for any size and any words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import Config
from tiny_model import tiny_model

import glip
from glip.apis import Detector, build_model
from glip.cli.app import main
from glip.errors import CheckpointError, ConfigError, GLIPError, PromptError
from glip.export import export_onnx
from glip.text import parse_text

pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.slow  # each trace takes some ten seconds

WORDS = 'dog. red bicycle. car'


def make_detector(early_fuse: bool) -> Detector:
    """A small Swin GLIP with random weights and all that a real one has."""
    torch.manual_seed(0)
    pipeline = [
        dict(type='LoadImageFromFile', imdecode_backend='pillow'),
        dict(type='FixScaleResize', scale=(96, 160), keep_ratio=True, backend='pillow'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs'),
    ]
    cfg = Config(
        dict(
            default_scope='glip',
            model=tiny_model({'bbox_head.early_fuse': early_fuse}),
            test_dataloader=dict(dataset=dict(pipeline=pipeline)),
            default_threshold=0.0,
        )
    )
    return Detector(build_model(cfg).eval(), cfg)


def pictures():
    rng = np.random.default_rng(0)
    return [
        rng.integers(0, 255, (h, w, 3), np.uint8) for h, w in ((90, 140), (200, 120))
    ]


def same(ours, theirs):
    assert len(ours) == len(theirs) > 0
    assert np.allclose(ours.boxes, theirs.boxes, atol=2e-2)
    assert np.allclose(ours.scores, theirs.scores, atol=1e-5)
    assert ours.names == theirs.names


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
    detector = make_detector(True)
    path = tmp_path / 'baked.onnx'
    prompt = parse_text(WORDS)
    (file,) = export_onnx(detector.model, detector.cfg, path, prompt=prompt)
    session = glip.load(str(file))
    for picture in pictures():
        same(detector(picture, WORDS), session(picture, WORDS))
    with pytest.raises(PromptError, match='red bicycle'):
        session(pictures()[0], 'cat')


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
    with pytest.raises(GLIPError, match='opset'):
        export_onnx(detector.model, detector.cfg, tmp_path / 'a.onnx', opset=99)


def test_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(['export', 'glip-nano', '--format', 'tensorrt']) == 1
    assert main(['export', 'no-such-model']) == 1
    assert capsys.readouterr().err.count('error: ') == 2
