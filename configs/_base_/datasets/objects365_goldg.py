# Objects365 and GoldG: captions of Flickr30k Entities and of the mixed set (GQA and
# Visual Genome pictures, none of COCO), annotated by MDETR.
_base_ = './objects365.py'

grounding_pipeline = _base_.detection_pipeline

flickr30k = dict(
    type='MDETRDataset',
    data_root='data/flickr30k_entities/',
    ann_file='final_flickr_separateGT_train.json',
    data_prefix=dict(img='flickr30k_images/'),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=grounding_pipeline,
)
mixed = dict(
    type='MDETRDataset',
    data_root='data/gqa/',
    ann_file='final_mixed_train_no_coco.json',
    data_prefix=dict(img='images/'),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=grounding_pipeline,
)

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[_base_.objects365, flickr30k, mixed],
    )
)
