# GLIP-L on phrases of Flickr30k Entities, also by type of phrase.
_base_ = [
    '../../_base_/models/glip_swin-l.py',
    '../../_base_/datasets/flickr30k_entities_zeroshot.py',
    '../../_base_/default_runtime.py',
]
