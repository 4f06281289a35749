# GLIP-T (C) on RefCOCO+.
_base_ = [
    '../../_base_/models/glip_swin-t.py',
    '../../_base_/datasets/refcoco_plus_zeroshot.py',
    '../../_base_/default_runtime.py',
]
# A sentence has a best box, however low its score.
model = dict(test_cfg=dict(score_thr=0.0))
