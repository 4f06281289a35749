"""Tuned prompts on a loaded detector: one at the start, or another with each call."""

import pickle

import interrupted_run
import numpy as np
import pytest
import torch
from mmengine.config import Config

import glip
from glip.checkpoints import save_state_dict
from glip.checkpoints.fingerprint import fingerprint
from glip.checkpoints.layouts import PROMPT_KEY
from glip.checkpoints.tuned import TunedWeights, save_tuned
from glip.errors import CheckpointError, PromptError
from glip.registry import MODELS
from glip.text import TextPrompt

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='FixScaleResize', scale=(64, 64), keep_ratio=True),
    dict(type='PackDetInputs'),
]
PICTURE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope='module', params=[False, True], ids=['A', 'B'])
def files(request, tmp_path_factory):
    """Config, weights, and prompts of two word lists."""
    folder = tmp_path_factory.mktemp('tuned')
    cfg = Config(
        dict(
            model=interrupted_run.TINY | dict(test_cfg=dict(score_thr=0.0)),
            test_dataloader=dict(dataset=dict(pipeline=PIPELINE)),
        )
    )
    cfg.model.bbox_head.early_fuse = request.param
    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry('glip'):
        model = MODELS.build(cfg.model)
    save_state_dict(model.state_dict(), folder / 'weights.safetensors')
    mark = fingerprint(model.state_dict(), 'prompt')
    prompts = {}
    for seed, words in enumerate(('cat', 'big dog. bird')):
        text = TextPrompt.from_classes(words.split('. '))
        ids = model.language_model.tokenizer.encode(text).input_ids
        rows = torch.randn(len(ids), 16, generator=torch.Generator().manual_seed(seed))
        prompts[words] = folder / f'{seed}.safetensors'
        tuned = TunedWeights('prompt', {PROMPT_KEY: rows}, 'tiny', mark, text, ids)
        save_tuned(tuned, prompts[words])
    return cfg, folder / 'weights.safetensors', prompts


def scores(detections):
    return torch.from_numpy(detections.scores)


def test_one_prompt_from_the_start(files):
    cfg, weights, prompts = files
    plain = glip.load(cfg, weights, 'cpu')
    tuned = glip.load(cfg, weights, 'cpu', prompt=prompts['cat'])
    detections = tuned(PICTURE, threshold=0.0)
    assert set(detections.names) == {'cat'}
    same = tuned(PICTURE, 'Cat', threshold=0.0)
    assert torch.equal(scores(same), scores(detections))
    untuned = plain(PICTURE, 'cat', threshold=0.0)
    assert not torch.allclose(scores(untuned)[:5], scores(detections)[:5])
    with pytest.raises(PromptError, match="'cat'"):
        tuned(PICTURE, 'dog')
    with pytest.raises(PromptError, match='say what'):
        plain(PICTURE)


def test_many_prompts_on_one_model(files):
    cfg, weights, prompts = files
    detector = glip.load(cfg, weights, 'cpu')
    before = detector(PICTURE, 'cat', threshold=0.0)
    expected = {
        words: glip.load(cfg, weights, 'cpu', prompt=path)(PICTURE, threshold=0.0)
        for words, path in prompts.items()
    }
    encoded = detector.encode(PICTURE)
    values = {words: detector.load_prompt(path) for words, path in prompts.items()}
    for _ in range(2):
        for words, path in prompts.items():
            for prompt in (path, str(path), values[words]):
                for picture in (PICTURE, encoded):
                    detections = detector(picture, prompt=prompt, threshold=0.0)
                    assert torch.equal(scores(detections), scores(expected[words]))
                    assert detections.names == expected[words].names
    after = detector(PICTURE, 'cat', threshold=0.0)
    assert torch.equal(scores(after), scores(before))
    copy = pickle.loads(pickle.dumps(values['cat']))
    assert len(detector([PICTURE, PICTURE], prompt=copy, batch_size=2)) == 2


def test_wrong_words_are_reported_before_a_picture_is_read(files):
    cfg, weights, prompts = files
    detector = glip.load(cfg, weights, 'cpu')
    with pytest.raises(PromptError, match='big dog. bird'):
        detector.stream(
            ['missing.jpg'], 'bird. big dog', prompt=prompts['big dog. bird']
        )
    with pytest.raises(CheckpointError, match='missing'):
        detector(PICTURE, prompt='missing.safetensors')
    with pytest.raises(CheckpointError, match='5 is no file'):
        detector(PICTURE, prompt=5)
    with pytest.raises(CheckpointError, match='5 is no file'):
        glip.load(cfg, weights, 'cpu', prompt=5)
