"""A detector and word list as small as they get."""

import torch
from mmengine.config import Config

WORDS = dict(
    synonyms=dict(cat=['kitten', 'feline'], dog=['puppy'], bus=['coach', 'minibus']),
    groups=dict(animal=['cat', 'dog']),
    other_words=['spoon', 'guitar', 'cloud'],
)


def nano_config(num_classes=3, num_bins=4, levels=2, dim=8, **head) -> Config:
    """The shape of GLIP-nano, as small as it gets."""
    channels = num_classes + 4 + 4 * num_bins
    strides = [8, 16, 32][:levels]
    return Config(
        dict(
            default_scope='glip',
            model=dict(
                type='GLIP',
                data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32),
                backbone=dict(
                    type='CSPNet',
                    stem_channels=4,
                    num_pairs=(1, 1, 1),
                    out_indices=(1, 2),
                ),
                neck=dict(
                    type='ClassSpaceNeck',
                    neck=dict(type='PAN', in_channels=[16, 32], out_channels=dim),
                    in_channels=dim,
                    num_classes=num_classes,
                    num_bins=num_bins,
                    strides=strides,
                ),
                bbox_head=dict(
                    type='ATSSVLFusionHead',
                    in_channels=channels,
                    early_fuse=True,
                    num_dyhead_blocks=1,
                    residual_gate=0.0,
                    num_groups=1,
                    fusion=dict(embed_dim=8, num_heads=2, dropout=0.0),
                    anchor_generator=dict(
                        type='AnchorGenerator',
                        ratios=[1.0],
                        octave_base_scale=8,
                        scales_per_octave=1,
                        strides=strides,
                        center_offset=0.5,
                    ),
                )
                | head,
                language_model=dict(
                    type='BertModel',
                    pretrained=False,
                    config=dict(
                        hidden_size=64,
                        num_hidden_layers=1,
                        num_attention_heads=2,
                        intermediate_size=64,
                    ),
                ),
                test_cfg=dict(score_thr=0.0, max_per_img=20),
            ),
            test_pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='FixScaleResize', scale=(64, 64), keep_ratio=True),
                dict(type='PackDetInputs'),
            ],
        )
    )


def class_layers(levels=2, classes=3, dim=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(levels, classes, dim, generator=generator)
    return weight, torch.randn(levels, classes, generator=generator)
