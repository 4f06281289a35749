# Pre-train GLIP-L on four detection sets, GoldG, CC12M and SBU: 1 M steps of 64.
_base_ = [
    '../_base_/models/glip_swin-l.py',
    '../_base_/datasets/fourods_goldg_cc12m_sbu.py',
    '../_base_/schedules/schedule_glip_pretrain_large.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(frozen_stages=1))
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5000))
log_processor = dict(by_epoch=False)
