# GLIP-T (A) on ODinW-35 without training on it: AP of each set, and the mean.
_base_ = [
    '../../_base_/models/glip_swin-t_a.py',
    '../../_base_/datasets/odinw35.py',
    '../../_base_/default_runtime.py',
]
