# Pre-train GLIP-T (A) on Objects365: 30 epochs, 64 pictures a step.
_base_ = [
    '../_base_/models/glip_swin-t_a.py',
    '../_base_/datasets/objects365.py',
    '../_base_/schedules/schedule_glip_pretrain.py',
    '../_base_/default_runtime.py',
]
