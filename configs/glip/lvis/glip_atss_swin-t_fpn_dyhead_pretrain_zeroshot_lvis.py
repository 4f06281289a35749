# GLIP-T on LVIS v1 val, of which it has seen no annotation: AP and fixed AP.
_base_ = [
    '../../_base_/models/glip_swin-t.py',
    '../../_base_/datasets/lvis_v1_zeroshot.py',
    '../../_base_/default_runtime.py',
]
# 40 names to a prompt, as in the published numbers
model = dict(test_cfg=dict(max_per_img=300, chunked_size=40))
