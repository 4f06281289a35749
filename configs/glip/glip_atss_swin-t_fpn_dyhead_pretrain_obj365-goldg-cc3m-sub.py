# Pre-train GLIP-T, the model of (B), on Objects365, GoldG, CC3M and SBU.
_base_ = [
    '../_base_/models/glip_swin-t.py',
    '../_base_/datasets/objects365_goldg_cc3m_sbu.py',
    '../_base_/schedules/schedule_glip_pretrain.py',
    '../_base_/default_runtime.py',
]
