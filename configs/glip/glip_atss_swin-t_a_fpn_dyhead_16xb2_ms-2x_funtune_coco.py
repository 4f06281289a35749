# Fine-tune GLIP-T (A) on COCO, 16 GPUs of 2 pictures.
_base_ = './glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365.py'

load_from = 'glip-tiny-a'
