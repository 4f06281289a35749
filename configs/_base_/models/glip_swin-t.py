# GLIP-T (B), (C) and GLIP-T: words and picture fused in the tower.
_base_ = './glip_swin-t_a.py'

model = dict(bbox_head=dict(early_fuse=True))
