# Fine-tune GLIP-T (A) on COCO, 16 GPUs of 2 pictures.
_base_ = [
    '../_base_/models/glip_swin-t_a.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/schedule_2x.py',
    '../_base_/default_runtime.py',
]

load_from = 'glip-tiny-a'
