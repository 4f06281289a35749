# GLIP-T (B) on LVIS minival: the pictures of COCO's val2017.
_base_ = './glip_atss_swin-t_b_fpn_dyhead_pretrain_zeroshot_lvis.py'
val_dataloader = dict(dataset=dict(subset='minival'))
test_dataloader = val_dataloader
