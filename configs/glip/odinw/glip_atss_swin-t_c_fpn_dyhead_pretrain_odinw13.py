# GLIP-T (C) on ODinW-13 without training on it: AP of each set, and the mean.
_base_ = [
    '../../_base_/models/glip_swin-t.py',
    '../../_base_/datasets/odinw13.py',
    '../../_base_/default_runtime.py',
]
