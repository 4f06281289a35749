# GLIP-L's data: four detection sets, GoldG, and captions of CC12M and SBU with boxes
# that a teacher wrote for their phrases. The captions are streamed from tar files.
_base_ = './objects365_goldg_cc3m_sbu.py'


def _detection(root, ann_file, img):
    return dict(
        _base_.objects365, data_root=root, ann_file=ann_file, data_prefix=dict(img=img)
    )


def _captions(shards):
    return dict(type='ODVGStream', shards=shards, pipeline=_base_.caption_pipeline)


openimages = _detection('data/openimages/', 'openimages_train.json', 'train/')
visual_genome = _detection('data/visual_genome/', 'visual_genome_train.json', 'images/')
imagenet = _detection('data/imagenet_od/', 'imagenet_od_train.json', 'train/')
annotated = dict(
    type='ConcatDataset',
    datasets=[
        _base_.objects365,
        openimages,
        visual_genome,
        imagenet,
        _base_.flickr30k,
        _base_.mixed,
    ],
    # How often the original saw each.
    repeats=[2, 1, 3, 2, 8, 4],
)

train_dataloader = dict(
    batch_size=1,
    sampler=None,
    batch_sampler=None,
    dataset=dict(
        _delete_=True,
        type='MixedStream',
        datasets=[
            annotated,
            _captions('data/cc12m/shards/cc12m-*.tar'),
            _captions('data/sbu/shards/sbu-*.tar'),
        ],
        ratios=[8, 11, 1],  # in proportion to their samples, in millions
    ),
)
