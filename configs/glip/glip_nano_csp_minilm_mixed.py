# How GLIP-nano was made: six small public sets together, each with its own words.
# See docs/nano.md for the data and the commands.
_base_ = './glip_nano_csp_minilm.py'

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained', checkpoint='data/pretrained/mobilenet_v2-b0353104.pth'
        )
    ),
    language_model=dict(pretrained='data/pretrained/minilm'),
)
load_from = None

# Words of one set are drawn as absent ones for the others. 'person' is left out: there
# are people in the pictures of faces.
vocabulary = [
    'raccoon', 'rabbit', 'cat', 'dog', 'bird', 'horse', 'cow', 'elephant', 'bear',
    'zebra', 'giraffe', 'fish', 'jellyfish', 'penguin', 'puffin', 'shark', 'starfish',
    'stingray', 'Platelets', 'RBC', 'WBC', 'with_mask', 'without_mask', 'bicycle',
    'airplane', 'train', 'boat', 'traffic light', 'bench', 'kite', 'surfboard',
    'pizza', 'cake', 'toilet', 'laptop', 'clock', 'teddy bear', 'umbrella',
]  # fmt: skip

train_pipeline = _base_.train_pipeline[:-1] + [
    dict(
        type='RandomSamplingNegPos',
        max_classes=16,
        min_negatives=2,
        full_sampling_prob=0.0,
        vocabulary=vocabulary,
    ),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))


def _set(folder, ann_file, img, **more):
    return dict(data_root='data/nano/' + folder, ann_file=ann_file, img=img, **more)


custom_data = dict(
    train=[
        _set('odinw/Raccoon', 'train/annotations.json', 'train', repeat=2),
        _set('odinw/BCCD', 'train/annotations.json', 'train'),
        _set('odinw/Aquarium', 'train/annotations.json', 'train', repeat=2),
        _set('rabbit', 'train/_annotations.coco.json', 'train', repeat=2),
        _set('facemask', 'annotations/custom_train.json', 'train2017'),
        _set('coco128', 'annotations/instances_train2017.json', 'train2017'),
        _set('coco_mini', 'annotations/instances_train2017.json', 'train2017'),
    ],
    val=[
        _set('odinw/Raccoon', 'valid/annotations.json', 'valid'),
        _set('odinw/BCCD', 'valid/annotations.json', 'valid'),
        _set('odinw/Aquarium', 'valid/annotations.json', 'valid'),
        _set('rabbit', 'valid/_annotations.coco.json', 'valid'),
        _set('facemask', 'annotations/custom_val.json', 'val2017'),
        _set('coco_mini', 'annotations/instances_val2017.json', 'val2017'),
    ],
    test=[
        _set('odinw/BCCD', 'test/annotations.json', 'test'),
        _set('odinw/Aquarium', 'test/annotations.json', 'test'),
    ],
)

max_epochs = 6
train_cfg = dict(max_epochs=max_epochs, val_interval=3)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        end=max_epochs,
        eta_min_ratio=0.01,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
optim_wrapper = dict(optimizer=dict(lr=1e-3))
