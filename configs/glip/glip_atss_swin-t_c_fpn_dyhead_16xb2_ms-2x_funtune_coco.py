# Fine-tune GLIP-T (C) on COCO.
_base_ = './glip_atss_swin-t_b_fpn_dyhead_16xb2_ms-2x_funtune_coco.py'

load_from = 'glip-tiny-c'
