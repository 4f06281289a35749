# For tools/test.py --tta: GLIP-L on COCO at the original's twelve sizes, each mirrored.
_base_ = [
    '../glip_atss_swin-l_fpn_dyhead_16xb2_ms-2x_funtune_coco.py',
    '../../_base_/tta/twelve_scales.py',
]
