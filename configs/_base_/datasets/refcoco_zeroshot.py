# RefCOCO, val and both tests, in MDETR's layout: a sample for each sentence.
data_root = 'data/'
pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='FixScaleResize', scale=(800, 1333), keep_ratio=True, backend='pillow'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]
part = dict(
    type='MDETRStyleRefCocoDataset',
    data_root=data_root,
    data_prefix=dict(img='coco/train2014/'),
    test_mode=True,
    pipeline=pipeline,
)
parts = ['refcoco_val', 'refcoco_testA', 'refcoco_testB']
datasets = [dict(part, ann_file=f'refcoco/finetune_{name}.json') for name in parts]

val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ConcatDataset', datasets=datasets),
)
test_dataloader = val_dataloader
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

val_evaluator = dict(
    type='MultiDatasetsEvaluator',
    metrics=[dict(type='RefExpMetric') for _ in parts],
    dataset_prefixes=parts,
)
test_evaluator = val_evaluator
