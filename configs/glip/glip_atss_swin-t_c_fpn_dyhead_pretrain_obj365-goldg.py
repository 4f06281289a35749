# Pre-train GLIP-T (C), the model of (B), on Objects365 and GoldG.
_base_ = [
    '../_base_/models/glip_swin-t.py',
    '../_base_/datasets/objects365_goldg.py',
    '../_base_/schedules/schedule_glip_pretrain.py',
    '../_base_/default_runtime.py',
]
