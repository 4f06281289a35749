# Flickr30k Entities, val and test, in MDETR's layout: 1000 pictures each, five captions
# to a picture, each a sample of its own.
data_root = 'data/flickr30k_entities/'
pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='FixScaleResize', scale=(800, 1333), keep_ratio=True, backend='pillow'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]
part = dict(
    type='Flickr30kDataset',
    data_root=data_root,
    data_prefix=dict(img='flickr30k_images/'),
    test_mode=True,
    pipeline=pipeline,
)
flickr30k_val = dict(part, ann_file='final_flickr_separateGT_val.json')
flickr30k_test = dict(part, ann_file='final_flickr_separateGT_test.json')
# Any true box of a phrase, as in the published numbers, and the box around all.
phrase_recall = dict(type='Flickr30kMetric', merge_boxes='both')

val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ConcatDataset', datasets=[flickr30k_val, flickr30k_test]),
)
test_dataloader = val_dataloader
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

val_evaluator = dict(
    type='MultiDatasetsEvaluator',
    metrics=[phrase_recall, phrase_recall],
    dataset_prefixes=['Flickr30kVal', 'Flickr30kTest'],
)
test_evaluator = val_evaluator
