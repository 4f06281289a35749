# And captions of CC3M and SBU, with boxes that a teacher wrote for their phrases.
_base_ = './objects365_goldg.py'

cc3m = dict(
    type='ODVGDataset',
    data_root='data/cc3m/',
    ann_file='cc3m_train_odvg.jsonl',
    data_prefix=dict(img='train/'),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=_base_.grounding_pipeline,
)
sbu = dict(
    type='ODVGDataset',
    data_root='data/sbu/',
    ann_file='sbu_train_odvg.jsonl',
    data_prefix=dict(img='train/'),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=_base_.grounding_pipeline,
)

train_dataloader = dict(
    dataset=dict(
        datasets=[_base_.objects365, _base_.flickr30k, _base_.mixed, cc3m, sbu]
    )
)
