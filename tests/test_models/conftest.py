"""Small models: one of the recorded original's shape, one as small as it gets."""

import copy
from pathlib import Path
from types import SimpleNamespace

import official
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from tiny_model import tiny_model

from glip.checkpoints import load_into
from glip.models.cpu import use_cpu_kernels
from glip.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs' / 'glip'
SIZES = ((224, 320), (200, 288))


def build(cfg):
    """Build under our scope without leaving it set."""
    with MODELS.switch_scope_and_registry('glip'):
        return use_cpu_kernels(MODELS.build(copy.deepcopy(cfg)))


def sample(shape, text, **meta) -> DetDataSample:
    """A data sample of one picture at its own scale."""
    return DetDataSample(
        metainfo=dict(
            img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0), text=text
        )
        | meta
    )


def with_boxes(data_sample, boxes, labels) -> DetDataSample:
    data_sample.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes).view(-1, 4).float(), labels=torch.tensor(labels)
    )
    return data_sample


TINY = tiny_model(
    {
        'backbone.depths': [1, 2, 1, 1],
        'backbone.num_heads': [1, 2, 2, 2],
        'bbox_head.fusion.embed_dim': 32,
        'language_model.config.intermediate_size': 32,
    }
)
del TINY['language_model']['pretrained']


def tiny(**changes) -> Config:
    """The tiny model's config with some parts changed, as a config file would."""
    cfg = Config(copy.deepcopy(TINY))
    cfg.merge_from_dict(changes)
    return cfg


@pytest.fixture
def tiny_model():
    torch.manual_seed(0)
    return build(tiny()).eval()


@pytest.fixture(scope='session')
def original():
    """The recorded original: ``meta``, ``pictures``, ``samples()`` and ``model()``."""

    def model(variant: str, **test_cfg):
        name = 'a' if variant == 'A' else 'b'
        cfg = Config.fromfile(
            CONFIGS / f'glip_atss_swin-t_{name}_fpn_dyhead_pretrain_obj365.py'
        ).model
        cfg.backbone.update(embed_dims=24, depths=(2, 2, 2, 2), num_heads=(2, 2, 4, 8))
        cfg.neck.in_channels = [48, 96, 192]
        cfg.bbox_head.num_dyhead_blocks = 2
        cfg.language_model.update(
            vocab=str(official.FOLDER / 'vocab.txt'),
            config=dict(vocab_size=128, num_hidden_layers=2),
            pad_to_max=True,
        )
        cfg.test_cfg.update(test_cfg)
        built = build(cfg)
        load_into(built, official.parameters(variant))
        return built.eval()

    pictures = torch.zeros(2, 3, *SIZES[0])
    for i, (height, width) in enumerate(SIZES):
        picture = official.fill.image(f'image{i}', height, width)
        pictures[i, :, :height, :width] = official.fill.normalise(picture)
    names = (
        'person, bicycle, car, traffic light, teddy bear, hair drier, dog, '
        'zebra_(animal), bird_feeder'
    ).split(', ')
    return SimpleNamespace(
        meta=official.figures('meta'),
        model=model,
        pictures=pictures,
        samples=lambda: [sample(size, names, custom_entities=True) for size in SIZES],
    )
