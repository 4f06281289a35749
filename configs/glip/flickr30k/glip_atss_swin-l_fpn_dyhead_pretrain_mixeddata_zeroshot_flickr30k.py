# GLIP-L on phrases of Flickr30k Entities, val and test, both protocols.
_base_ = [
    '../../_base_/models/glip_swin-l.py',
    '../../_base_/datasets/flickr30k_zeroshot.py',
    '../../_base_/default_runtime.py',
]
