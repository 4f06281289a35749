# Fine-tune GLIP-T (B) on COCO, 16 GPUs of 2 pictures.
_base_ = './glip_atss_swin-t_a_fpn_dyhead_16xb2_ms-2x_funtune_coco.py'

model = dict(bbox_head=dict(early_fuse=True, use_checkpoint=True))
optim_wrapper = dict(
    optimizer=dict(lr=0.00001), clip_grad=dict(max_norm=1, norm_type=2)
)
load_from = 'glip-tiny-b'
