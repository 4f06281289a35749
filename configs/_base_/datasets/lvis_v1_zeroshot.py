# LVIS v1 val: 19809 pictures, 1203 classes; pictures lie where COCO has them.
data_root = 'data/coco/'
ann_file = 'annotations/lvis_v1_val.json'

val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='LVISV1Dataset',
        data_root=data_root,
        ann_file=ann_file,
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile', imdecode_backend='pillow'),
            dict(
                type='FixScaleResize',
                scale=(800, 1333),
                keep_ratio=True,
                backend='pillow',
            ),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='PackDetInputs'),
        ],
    ),
)
test_dataloader = val_dataloader
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# Fixed AP besides: at most 10000 boxes of a class over all pictures.
val_evaluator = [
    dict(type='LVISMetric', ann_file=data_root + ann_file),
    dict(type='LVISFixedAPMetric', ann_file=data_root + ann_file),
]
test_evaluator = val_evaluator
