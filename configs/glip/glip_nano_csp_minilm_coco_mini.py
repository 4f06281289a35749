# Pre-training in miniature: 80 pictures of COCO with boxes, and captions of the same
# with a box for each phrase, mixed in every batch. See docs/pretraining.md.
_base_ = './glip_nano_csp_minilm.py'

data_root = 'data/coco_mini/'
mixed_pipeline = [
    *_base_.train_pipeline[:2],
    dict(type='RandomSamplingNegPos', num_sample_negative=20, full_sampling_prob=0.5),
    *_base_.train_pipeline[2:],
]

boxes = dict(
    type='CocoDataset',
    data_root=data_root,
    ann_file='annotations/instances_train2017.json',
    data_prefix=dict(img='train2017/'),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=mixed_pipeline,
)
captions = dict(
    type='ODVGDataset',
    data_root=data_root,
    ann_file='annotations/grounding_odvg_train2017.jsonl',
    data_prefix=dict(img='train2017/'),
    pipeline=mixed_pipeline,
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[boxes, captions],
        repeats=[3, 1],
    )
)

phrases = dict(
    type='ODVGDataset',
    data_root=data_root,
    ann_file='annotations/grounding_odvg_val2017.jsonl',
    data_prefix=dict(img='val2017/'),
    test_mode=True,
    pipeline=_base_.test_pipeline,
)
val_dataloader = dict(dataset=dict(_delete_=True, **phrases))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='Flickr30kMetric')
test_evaluator = val_evaluator

default_hooks = dict(checkpoint=dict(save_best='flickr30k/R@1'))
