# GLIP-T taught by GLIP-T (C): the teacher labels the captions of CC3M and SBU, and the
# student learns from Objects365 and GoldG, the data of people, and from its labels.
# GLIP paper, section 3.3; its table 1 has both models.
_base_ = '../glip_atss_swin-t_c_fpn_dyhead_pretrain_obj365-goldg.py'

self_training = dict(
    teacher='glip-tiny-c',  # without this line the teacher is trained here first
    captions=['data/cc3m/shards/cc3m-*.tar', 'data/sbu/shards/sbu-*.tar'],
    score_thr=0.5,
    # 4 M captions beside 1.5 M samples of people, in epochs as long as the teacher's.
    share=0.7,
    dataset=dict(
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        # Captions name nothing that is absent, so those of others are put around them.
        pipeline=[
            *_base_.grounding_pipeline[:2],
            dict(type='NegativeCaptions', num_captions=20, prob=0.5),
            *_base_.grounding_pipeline[2:],
        ],
    ),
    metric='coco/bbox_mAP',
)
