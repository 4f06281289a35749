# How GLIP-nano was made, second step: from the start that start_from_detector.py makes,
# on small public sets with boxes and captions, with the start as its own teacher.
# See docs/nano.md for the data and the commands.
_base_ = './glip_nano_csp_minilm.py'

data_root = 'data/nano/'
start = 'work_dirs/nano_start.safetensors'
captions = 'work_dirs/coco_person_captions.jsonl'

model = dict(
    type='SelfTaughtGLIP',
    teacher_share=0.9,
    backbone=dict(frozen=True),
    neck=dict(frozen=True, neck=dict(frozen=True)),
    # Scores know of the quality of a box already; the centerness stays constant.
    bbox_head=dict(
        loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=0.0)
    ),
)
load_from = start

# Words that no picture of the two sets below shows, which have boxes for few things.
absent = [
    'zebra', 'giraffe', 'airplane', 'surfboard', 'pizza', 'kite', 'train', 'guitar',
    'umbrella', 'banana', 'skateboard', 'bus', 'helicopter', 'penguin', 'violin',
]  # fmt: skip

loading = _base_.train_pipeline[:2]
resizing = [
    dict(type='GTBoxSubOne_GLIP'),
    dict(
        type='RandomChoiceResize',
        scales=[(s, s) for s in (416, 448, 480, 512, 544)],
        keep_ratio=True,
        resize_type='FixScaleResize',
        backend='pillow',
    ),
    dict(type='RandomFlip_GLIP', prob=0.5),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1), keep_empty=False),
]
boxes_pipeline = [
    *loading,
    *resizing,
    dict(type='RandomSamplingNegPos', max_classes=20, full_sampling_prob=1.0),
    dict(type='PackDetInputs'),
]
few_things_pipeline = [
    *loading,
    *resizing,
    dict(
        type='RandomSamplingNegPos',
        max_classes=16,
        min_negatives=4,
        full_sampling_prob=0.0,
        vocabulary=absent,
    ),
    dict(type='PackDetInputs'),
]
captions_pipeline = [
    *loading,
    *resizing,
    dict(type='RandomSamplingNegPos', num_sample_negative=20),
    dict(type='PackDetInputs'),
]


def _boxes(folder, ann_file, img, pipeline):
    return dict(
        type='CocoDataset',
        data_root=data_root + folder,
        ann_file=ann_file,
        data_prefix=dict(img=img),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=pipeline,
        return_classes=True,
    )


train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            _boxes('coco_person', 'annotations.json', 'images/', boxes_pipeline),
            _boxes('coco_small', 'annotations.json', 'images/', boxes_pipeline),
            _boxes(
                'coco128',
                'annotations/instances_train2017.json',
                'train2017/',
                boxes_pipeline,
            ),
            _boxes(
                'coco_mini',
                'annotations/instances_train2017.json',
                'train2017/',
                boxes_pipeline,
            ),
            _boxes('wild_animals', 'annotations.json', 'images/', few_things_pipeline),
            _boxes('amenities', 'annotations.json', 'images/', few_things_pipeline),
            dict(
                type='ODVGDataset',
                data_root='',
                ann_file=captions,
                data_prefix=dict(img=data_root + 'coco_person/images/'),
                indices=640,
                pipeline=captions_pipeline,
            ),
        ],
    ),
)


def _valid(folder):
    return dict(
        type='CocoDataset',
        data_root=data_root + folder,
        ann_file='annotations/instances_val2017.json',
        data_prefix=dict(img='val2017/'),
        test_mode=True,
        pipeline=_base_.test_pipeline,
        return_classes=True,
    )


def _metric(folder):
    ann_file = data_root + folder + '/annotations/instances_val2017.json'
    return dict(type='CocoMetric', ann_file=ann_file, metric='bbox')


val_sets = ['coco_mini', 'coco128']
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[_valid(folder) for folder in val_sets],
    )
)
val_evaluator = dict(
    _delete_=True,
    type='MultiDatasetsEvaluator',
    metrics=[_metric(folder) for folder in val_sets],
    dataset_prefixes=val_sets,
)
test_dataloader, test_evaluator = val_dataloader, val_evaluator

max_epochs = 3
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=150),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        end=max_epochs,
        eta_min_ratio=0.02,
        by_epoch=True,
        convert_to_iter_based=True,
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
custom_hooks = [
    dict(type='SelfTeacherHook', checkpoint=start, tower=False),
    dict(
        type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.002, update_buffers=True
    ),
]
