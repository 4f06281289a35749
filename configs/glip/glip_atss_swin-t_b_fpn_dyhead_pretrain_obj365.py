# Pre-train GLIP-T (B), (A) with words and picture fused, on Objects365.
_base_ = [
    '../_base_/models/glip_swin-t.py',
    '../_base_/datasets/objects365.py',
    '../_base_/schedules/schedule_glip_pretrain.py',
    '../_base_/default_runtime.py',
]
