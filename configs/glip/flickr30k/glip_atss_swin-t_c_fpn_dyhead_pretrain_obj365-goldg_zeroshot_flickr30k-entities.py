# GLIP-T (C) on phrases of Flickr30k Entities, also by type of phrase.
_base_ = [
    '../../_base_/models/glip_swin-t.py',
    '../../_base_/datasets/flickr30k_entities_zeroshot.py',
    '../../_base_/default_runtime.py',
]
