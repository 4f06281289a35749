# And captions of CC3M and SBU, with boxes that a teacher wrote for their phrases. As
# captions alone name nothing that is absent, those of other pictures are put around.
_base_ = './objects365_goldg.py'

caption_pipeline = [
    *_base_.grounding_pipeline[:2],
    dict(type='NegativeCaptions', num_captions=20, prob=0.5),
    *_base_.grounding_pipeline[2:],
]


def _captions(root, ann_file):
    return dict(
        type='ODVGDataset',
        data_root=root,
        ann_file=ann_file,
        data_prefix=dict(img='train/'),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=caption_pipeline,
    )


cc3m = _captions('data/cc3m/', 'cc3m_train_odvg.jsonl')
sbu = _captions('data/sbu/', 'sbu_train_odvg.jsonl')

train_dataloader = dict(
    dataset=dict(
        datasets=[_base_.objects365, _base_.flickr30k, _base_.mixed, cc3m, sbu]
    )
)
