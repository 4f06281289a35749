# Flickr30k Entities, val and test, in MDETR's layout: 1000 pictures each, five captions
# to a picture, each a sample of its own.
_base_ = './grounding_zeroshot.py'

data_root = 'data/flickr30k_entities/'
part = dict(
    type='Flickr30kDataset',
    data_root=data_root,
    data_prefix=dict(img='flickr30k_images/'),
    test_mode=True,
    pipeline=_base_.pipeline,
)
flickr30k_val = dict(part, ann_file='final_flickr_separateGT_val.json')
flickr30k_test = dict(part, ann_file='final_flickr_separateGT_test.json')
# Any true box of a phrase, as in the published numbers, and the box around all.
phrase_recall = dict(type='Flickr30kMetric', merge_boxes='both')

val_dataloader = dict(dataset=dict(datasets=[flickr30k_val, flickr30k_test]))
test_dataloader = val_dataloader

val_evaluator = dict(
    metrics=[phrase_recall, phrase_recall],
    dataset_prefixes=['Flickr30kVal', 'Flickr30kTest'],
)
test_evaluator = val_evaluator
