# Fine-tune GLIP-T (B) on COCO, 16 GPUs of 2 pictures.
_base_ = [
    '../_base_/models/glip_swin-t.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/schedule_2x.py',
    '../_base_/default_runtime.py',
]

model = dict(bbox_head=dict(use_checkpoint=True))
optim_wrapper = dict(
    optimizer=dict(lr=0.00001), clip_grad=dict(max_norm=1, norm_type=2)
)
load_from = 'glip-tiny-b'
