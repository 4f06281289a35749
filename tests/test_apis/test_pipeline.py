"""Pictures in memory are prepared exactly as evaluation prepares files."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image
from standin import make_config

from glip.apis import load_image
from glip.apis.pipeline import InferencePipeline
from glip.errors import ConfigError
from glip.registry import TRANSFORMS


@pytest.mark.parametrize('name', ['a.jpg', 'a.png', 'gray.jpg', 'alpha.png'])
@pytest.mark.parametrize('to_float32', [False, True])
def test_same_pixels_as_evaluation(tmp_path, name, to_float32):
    noise = np.random.default_rng(0).integers(0, 255, (75, 50, 4), np.uint8)
    mode = {'gray.jpg': 'L', 'alpha.png': 'RGBA'}.get(name, 'RGB')
    exif = Image.Exif()
    exif[0x0112] = 6
    path = str(tmp_path / name)
    Image.fromarray(noise).convert(mode).save(path, exif=exif)

    transforms = make_config().test_dataloader.dataset.pipeline
    transforms[0].to_float32 = to_float32
    transforms[1].backend = 'cv2' if to_float32 else 'pillow'
    data = {'img_path': path, 'instances': []}
    with DefaultScope.overwrite_default_scope('glip'):
        for transform in transforms:
            data = TRANSFORMS.build(transform)(data)
    prepared = InferencePipeline(transforms)(load_image(path), path=path)

    assert prepared['inputs'].dtype == data['inputs'].dtype
    assert prepared['inputs'].equal(data['inputs'])
    ours, theirs = prepared['data_samples'].metainfo, data['data_samples'].metainfo
    for key in ('img_path', 'ori_shape', 'img_shape', 'scale_factor'):
        assert ours[key] == theirs[key]


def test_words_arrive_whatever_the_config_packs():
    pipeline = InferencePipeline.from_config(make_config())
    prepared = pipeline(np.zeros((8, 8, 3), np.uint8), text='cat', more=1)
    assert prepared['data_samples'].text == 'cat'
    assert prepared['data_samples'].more == 1


@pytest.mark.parametrize('shape', [(1, 5000), (5000, 1), (1, 1), (2, 700)])
def test_needles_survive_resizing(shape):
    pipeline = InferencePipeline.from_config(make_config())
    prepared = pipeline(np.full((*shape, 3), 9, np.uint8))
    assert min(prepared['inputs'].shape) > 0
    assert (prepared['inputs'] == 9).all()


def test_pipeline_of_older_configs():
    transforms = make_config().test_dataloader.dataset.pipeline
    InferencePipeline.from_config({'test_pipeline': transforms})
    dataset = {'pipeline': transforms}
    InferencePipeline.from_config({'val_dataloader': {'dataset': dataset}})
    with pytest.raises(ConfigError):
        InferencePipeline.from_config({})
