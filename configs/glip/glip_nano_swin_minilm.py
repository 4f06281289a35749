# GLIP-nano with a small Swin, which nothing has pre-trained, as its backbone; all
# other parts start from glip-nano's.
_base_ = './glip_nano_csp_minilm.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        embed_dims=48,
        depths=[2, 2, 4, 2],
        num_heads=[2, 4, 8, 16],
        window_size=7,
        drop_path_rate=0.1,
        out_indices=(1, 2, 3),
    ),
    neck=dict(neck=dict(in_channels=[96, 192, 384])),
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=2.0))),
)
load_strict = False  # the backbone is not in glip-nano
