"""A detector and word list as small as they get."""

import torch
from mmengine.config import Config
from tiny_model import tiny_model

WORDS = dict(
    synonyms=dict(cat=['kitten', 'feline'], dog=['puppy'], bus=['coach', 'minibus']),
    groups=dict(animal=['cat', 'dog']),
    other_words=['spoon', 'guitar', 'cloud'],
)


def nano_config(num_classes=3, num_bins=4, levels=2, dim=8) -> Config:
    """The tiny model with backbone, neck and head of GLIP-nano's shape."""
    strides = [8, 16, 32][:levels]
    model = tiny_model(
        {
            'backbone': dict(
                _delete_=True,
                type='CSPNet',
                stem_channels=4,
                num_pairs=(1, 1, 1),
                out_indices=(1, 2),
            ),
            'neck': dict(
                _delete_=True,
                type='ClassSpaceNeck',
                neck=dict(type='PAN', in_channels=[16, 32], out_channels=dim),
                in_channels=dim,
                num_classes=num_classes,
                num_bins=num_bins,
                strides=strides,
            ),
            'bbox_head': dict(
                in_channels=num_classes + 4 + 4 * num_bins,
                feat_channels=None,
                residual_gate=0.0,
                num_groups=1,
                fusion=dict(dropout=0.0),
                anchor_generator=dict(
                    type='AnchorGenerator',
                    ratios=[1.0],
                    octave_base_scale=8,
                    scales_per_octave=1,
                    strides=strides,
                    center_offset=0.5,
                ),
            ),
            'language_model.config': dict(hidden_size=64),
        }
    )
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='FixScaleResize', scale=(64, 64), keep_ratio=True),
        dict(type='PackDetInputs'),
    ]
    return Config(dict(default_scope='glip', model=model, test_pipeline=pipeline))


def class_layers(levels=2, classes=3, dim=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(levels, classes, dim, generator=generator)
    return weight, torch.randn(levels, classes, generator=generator)
