# GLIP-L's data: four detection sets, GoldG, and captions of CC12M and SBU with boxes
# that a teacher wrote for their phrases.
_base_ = './objects365_goldg_cc3m_sbu.py'


def _detection(root, ann_file, img):
    return dict(
        _base_.objects365, data_root=root, ann_file=ann_file, data_prefix=dict(img=img)
    )


openimages = _detection('data/openimages/', 'openimages_train.json', 'train/')
visual_genome = _detection('data/visual_genome/', 'visual_genome_train.json', 'images/')
imagenet = _detection('data/imagenet_od/', 'imagenet_od_train.json', 'train/')
cc12m = dict(_base_.cc3m, data_root='data/cc12m/', ann_file='cc12m_train_odvg.jsonl')

train_dataloader = dict(
    batch_size=1,
    dataset=dict(
        datasets=[
            _base_.objects365,
            openimages,
            visual_genome,
            imagenet,
            _base_.flickr30k,
            _base_.mixed,
            cc12m,
            _base_.sbu,
        ],
        # How often the original saw each.
        repeats=[2, 1, 3, 2, 8, 4, 1, 1],
    ),
)
