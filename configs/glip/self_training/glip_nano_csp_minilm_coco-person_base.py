# The small model on the pictures of coco_person that keep their boxes: the first
# teacher of the proof in docs/self_training.md, from a start without labels of them.
_base_ = '../glip_nano_csp_minilm.py'

split = 'work_dirs/coco_person_split/'
pictures = 'data/nano/coco_person/images/'
load_from = 'work_dirs/nano_start.safetensors'

model = dict(
    backbone=dict(frozen=True),
    neck=dict(frozen=True, neck=dict(frozen=True)),
    # Scores know of the quality of a box already; the centerness stays constant.
    bbox_head=dict(
        loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=0.0)
    ),
)

loading = _base_.train_pipeline[:2]
sizes = (352, 384, 416, 448)
resizing = [
    dict(type='GTBoxSubOne_GLIP'),
    dict(
        type='RandomChoiceResize',
        scales=[(size, size) for size in sizes],
        keep_ratio=True,
        resize_type='FixScaleResize',
        backend='pillow',
    ),
    dict(type='RandomFlip_GLIP', prob=0.5),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1), keep_empty=False),
]
classes_pipeline = [
    *loading,
    *resizing,
    dict(type='RandomSamplingNegPos', max_classes=20, full_sampling_prob=1.0),
    dict(type='PackDetInputs'),
]
train_pipeline = [
    *loading,
    *resizing,
    dict(type='RandomSamplingNegPos'),
    dict(type='PackDetInputs'),
]
boxes = dict(
    type='CocoDataset',
    data_root='',
    ann_file=split + 'labelled_instances.json',
    data_prefix=dict(img=pictures),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=classes_pipeline,
    return_classes=True,
)
captions = dict(
    type='ODVGDataset',
    data_root='',
    ann_file=split + 'labelled_phrases.jsonl',
    data_prefix=dict(img=pictures),
    pipeline=train_pipeline,
)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(_delete_=True, type='MixtureSampler', ratios=[1, 1]),
    dataset=dict(_delete_=True, type='ConcatDataset', datasets=[boxes, captions]),
)

phrases = dict(
    type='ODVGDataset',
    data_root='data/coco_mini/',
    ann_file='annotations/grounding_odvg_val2017.jsonl',
    data_prefix=dict(img='val2017/'),
    test_mode=True,
    pipeline=_base_.test_pipeline,
)
val_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(_delete_=True, **phrases)
)
val_evaluator = dict(_delete_=True, type='Flickr30kMetric')
test_dataloader, test_evaluator = val_dataloader, val_evaluator

max_iters = 300
train_cfg = dict(
    _delete_=True,
    type='IterBasedTrainLoop',
    max_iters=max_iters,
    val_interval=max_iters,
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        T_max=max_iters,
        end=max_iters,
        eta_min_ratio=0.02,
        by_epoch=False,
    ),
]
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(
        # What is known already moves slowly.
        custom_keys={
            'language_model': dict(lr_mult=0.02),
            'dot_product_projection_text': dict(lr_mult=0.05),
            'bbox_pred': dict(lr_mult=0.2),
        },
    ),
)
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(by_epoch=False, interval=100, max_keep_ckpts=1, save_best=None),
)
log_processor = dict(by_epoch=False)
