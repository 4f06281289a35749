# The original's test-time augmentation (TEST.USE_MULTISCALE): twelve sizes of the
# shorter side, each also mirrored. At a size only boxes count whose root of area, in
# pixels of the resized picture, lies in its range: small pictures find large things.
tta_model = dict(
    type='DetTTAModel',
    tta_cfg=dict(
        nms=dict(type='nms', iou_threshold=0.6),
        max_per_img=1000,
        size_ranges=[
            (96, 10000),
            (96, 10000),
            (64, 10000),
            (64, 10000),
            (64, 10000),
            (0, 10000),
            (0, 10000),
            (0, 256),
            (0, 256),
            (0, 192),
            (0, 192),
            (0, 96),
        ],
    ),
)
tta_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow', backend_args=None),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(
                    type='FixScaleResize',
                    scale=(side, 2500),
                    keep_ratio=True,
                    backend='pillow',
                )
                for side in (
                    *(400, 500, 600, 640, 700, 900),
                    *(1000, 1100, 1200, 1300, 1400, 1800),
                )
            ],
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
            [dict(type='LoadAnnotations', with_bbox=True)],
            [dict(type='PackDetInputs')],
        ],
    ),
]
