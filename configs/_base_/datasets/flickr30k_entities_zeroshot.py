# The same from the files of Flickr30k Entities themselves, which have types of phrases.
_base_ = './flickr30k_zeroshot.py'

part = dict(
    type='Flickr30kEntitiesDataset',
    data_root=_base_.data_root,
    data_prefix=dict(img='flickr30k_images/'),
    test_mode=True,
    pipeline=_base_.pipeline,
)
flickr30k_val = dict(_delete_=True, **part, ann_file='val.txt')
flickr30k_test = dict(_delete_=True, **part, ann_file='test.txt')
val_dataloader = dict(
    dataset=dict(
        datasets=[dict(part, ann_file='val.txt'), dict(part, ann_file='test.txt')]
    )
)
test_dataloader = val_dataloader
