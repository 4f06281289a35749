# GLIP-L taught by itself: trained on four detection sets and GoldG, it labels the
# captions of CC12M and SBU for a student of the same size. GLIP paper, section 4.
_base_ = '../glip_atss_swin-l_fpn_dyhead_pretrain_mixeddata.py'

# The data of people alone; the generated share comes from the teacher below.
train_dataloader = dict(
    dataset=dict(
        _delete_=True, type='MixedStream', datasets=[_base_.annotated], group_size=0
    )
)

self_training = dict(
    # teacher='glip-l' takes the published weights in place of a first training.
    captions=['data/cc12m/shards/cc12m-*.tar', 'data/sbu/shards/sbu-*.tar'],
    score_thr=0.5,
    share=0.6,  # in proportion to the samples, 12 M beside 8 M
    dataset=dict(pipeline=_base_.caption_pipeline),
    metric='coco/bbox_mAP',
)
