# Teacher and student of the proof in docs/self_training.md: the base labels captions of
# pictures whose boxes nobody sees, and both go on from it for 300 steps, the student
# with the labels, the control (this config in tools/train.py) without.
_base_ = './glip_nano_csp_minilm_coco-person_base.py'

teacher = 'work_dirs/coco_person_base/iter_300.pth'
load_from = teacher

sizes = (288, 320, 352, 384)
resizing = [
    dict(type='GTBoxSubOne_GLIP'),
    dict(
        type='RandomChoiceResize',
        scales=[(size, size) for size in sizes],
        keep_ratio=True,
        resize_type='FixScaleResize',
        backend='pillow',
    ),
    *_base_.resizing[2:],
]
classes_pipeline = [*_base_.loading, *resizing, *_base_.classes_pipeline[-2:]]
train_pipeline = [*_base_.loading, *resizing, *_base_.train_pipeline[-2:]]
train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(_base_.boxes, pipeline=classes_pipeline),
            dict(_base_.captions, pipeline=train_pipeline),
        ]
    )
)

self_training = dict(
    teacher=teacher,
    captions=_base_.split + 'unlabelled_captions.json',
    data_root=_base_.pictures,
    labels=dict(limit=1500, shard_size=100),
    score_thr=0.2,  # scores stay, and the reader chooses among them
    start='teacher',
    share=0.5,
    dataset=dict(pipeline=train_pipeline, min_score=0.6, singular_score=0.4),
    metric='flickr30k/R@1',
)

max_iters = 300
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=20),
    dict(
        type='CosineAnnealingLR',
        T_max=max_iters,
        end=max_iters,
        eta_min_ratio=0.02,
        by_epoch=False,
    ),
]
default_hooks = dict(checkpoint=dict(interval=100))
randomness = dict(seed=0)
