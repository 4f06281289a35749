"""From files of a detector and of a BERT to a checkpoint that finds its classes."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

import glip
from glip.apis.loading import build_model
from glip.errors import CheckpointError, ConfigError
from glip.models import PAN, CSPNet
from glip.teach.start import start_from_detector

from .miniature_start import WORDS, nano_config


@pytest.fixture
def files(tmp_path):
    """Paths of a config, a detector, words, a BERT and pictures."""
    torch.manual_seed(0)
    cfg = nano_config()
    backbone = CSPNet(stem_channels=4, num_pairs=(1, 1, 1), out_indices=(1, 2))
    neck = PAN(in_channels=(16, 32), out_channels=8)
    state = {f'backbone.{k}': v for k, v in backbone.state_dict().items()}
    state |= {f'neck.{k}': v for k, v in neck.state_dict().items()}
    for level in range(2):
        state[f'predict.{level}.weight'] = torch.randn(3 + 16, 8, 1, 1)
        state[f'predict.{level}.bias'] = torch.randn(3 + 16)
    config = build_model(cfg).language_model.config
    bert = transformers.BertModel(transformers.BertConfig(**asdict(config)))
    bert.save_pretrained(tmp_path / 'bert')
    (tmp_path / 'words.json').write_text(json.dumps(WORDS))
    save_file(
        {k: v.clone() for k, v in state.items()}, tmp_path / 'detector.safetensors'
    )
    cfg.dump(tmp_path / 'config.py')
    (tmp_path / 'pictures').mkdir()
    random = np.random.default_rng(0)
    for i in range(3):
        pixels = random.integers(0, 255, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / 'pictures' / f'{i}.png')
    return tmp_path


def _start(files, out='start.safetensors', **options):
    start_from_detector(
        files / 'config.py',
        options.pop('detector', files / 'detector.safetensors'),
        files / 'words.json',
        files / out,
        language=files / 'bert',
        **options,
    )
    return load_file(files / out)


def test_result_is_a_checkpoint_of_the_config(files):
    state = _start(files)
    detector = load_file(files / 'detector.safetensors')
    stem = 'backbone.stem.0.weight'
    torch.testing.assert_close(state[stem], detector[stem])
    detect = glip.load(files / 'config.py', files / 'start.safetensors', device='cpu')
    detections = detect(files / 'pictures' / '0.png', 'cat. dog', threshold=0.0)
    assert set(detections.names) <= {'cat', 'dog'}
    assert len(detections)


def test_files_and_seed_decide_alone(files):
    options = dict(pictures=files / 'pictures', steps=3)
    one = _start(files, 'one.safetensors', seed=4, **options)
    again = _start(files, 'again.safetensors', seed=4, **options)
    other = _start(files, 'other.safetensors', seed=5, **options)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_distillation_changes_words_and_nothing_else(files):
    before = _start(files, 'before.safetensors')
    after = _start(files, 'after.safetensors', pictures=files / 'pictures', steps=3)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any('encoder.layer' in name for name in changed)
    assert not any('embeddings' in name for name in changed)
    assert all(
        'encoder.layer' in name or 'projection_text' in name or 'bias' in name
        for name in changed
    )


def test_wrong_files_are_refused(files):
    with pytest.raises(CheckpointError, match='predict'):
        _start(files, detector=_without(files, 'predict.1.weight'))
    with pytest.raises(CheckpointError, match='backbone'):
        _start(files, detector=_without(files, 'backbone.stem.0.weight'))
    words = dict(WORDS, synonyms={str(i): [] for i in range(40)}, groups={})
    (files / 'words.json').write_text(json.dumps(words))
    with pytest.raises(ConfigError, match='40 classes'):
        _start(files)


def test_unusable_pictures_and_numbers_are_refused(files):
    broken = files / 'broken'
    broken.mkdir()
    (broken / '0.png').write_bytes(b'no picture')
    with pytest.raises(ConfigError, match='broken'):
        _start(files, pictures=broken, steps=1)
    with pytest.raises(ConfigError, match='steps=0'):
        _start(files, pictures=files / 'pictures', steps=0)


def _without(files, name):
    state = load_file(files / 'detector.safetensors')
    del state[name]
    save_file(state, files / 'partial.safetensors')
    return files / 'partial.safetensors'
