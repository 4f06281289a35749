# Self-training in miniature: glip-nano labels the captions of 80 pictures for students
# of the same shape. It shows the way; 80 pictures teach nothing new.
_base_ = '../glip_nano_csp_minilm_coco_mini.py'

self_training = dict(
    teacher='glip-nano',
    captions='data/coco_mini/annotations/captions_train2017.json',
    data_root='data/coco_mini/train2017',
    rounds=2,
    share=0.4,
    score_thr=0.4,
    dataset=dict(pipeline=_base_.mixed_pipeline),
    metric='flickr30k/R@1',
)

# The people's part: boxes alone. Captions are what the teacher has for.
train_dataloader = dict(dataset=dict(_delete_=True, **_base_.boxes))
max_epochs = 2
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=5),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        end=max_epochs,
        eta_min_ratio=0.02,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
randomness = dict(seed=0)
