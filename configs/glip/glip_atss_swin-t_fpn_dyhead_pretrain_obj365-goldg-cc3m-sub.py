# GLIP-T: the model of (B), trained on Objects365, GoldG, CC3M and SBU.
_base_ = './glip_atss_swin-t_b_fpn_dyhead_pretrain_obj365.py'
