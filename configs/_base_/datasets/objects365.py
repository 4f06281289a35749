# Objects365 (v1, as in the paper) to train on, COCO val2017 to watch.
_base_ = './coco_detection.py'

# Classes become a caption: all in the picture, up to 85 draws of others, shuffled.
detection_pipeline = [
    *_base_.train_pipeline[:2],
    dict(type='RandomSamplingNegPos', num_sample_negative=85, full_sampling_prob=0.5),
    *_base_.train_pipeline[2:],
]

objects365 = dict(
    type='CocoDataset',
    data_root='data/objects365v1/',
    ann_file='objects365_train.json',
    data_prefix=dict(img='train/'),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=detection_pipeline,
)

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    dataset=dict(_delete_=True, **objects365),
)
