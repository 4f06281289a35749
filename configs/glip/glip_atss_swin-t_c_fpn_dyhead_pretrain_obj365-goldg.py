# GLIP-T (C): the model of (B), trained on Objects365 and GoldG.
_base_ = './glip_atss_swin-t_b_fpn_dyhead_pretrain_obj365.py'
