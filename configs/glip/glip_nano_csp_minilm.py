# GLIP-nano: a small GLIP that runs anywhere. As it stands, this fine-tunes the model in
# the repository on your data (custom_data); docs/nano.md says how it was made.
# Backbone and neck of NanoDet-g, two layers of MiniLM, one fused DyHead block.
_base_ = [
    '../_base_/datasets/coco_detection.py',
    '../_base_/default_runtime.py',
]

lang_model_name = 'bert-base-uncased'  # names the vocabulary; the shape is below
num_classes = 80  # of the detector behind the start: the dimensions of its class space
num_bins = 11
channels = num_classes + 4 + 4 * num_bins
strides = [8, 16, 32]
# Detections below are not shown unless asked for: the best F1 on coco_mini val.
default_threshold = 0.4

model = dict(
    type='GLIP',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[103.53, 116.28, 123.675],
        std=[57.375, 57.12, 58.395],
        bgr_to_rgb=False,
        pad_size_divisor=32,
    ),
    backbone=dict(type='CSPNet'),
    neck=dict(
        type='ClassSpaceNeck',
        neck=dict(type='PAN', in_channels=[128, 256, 512], out_channels=128),
        in_channels=128,
        num_classes=num_classes,
        num_bins=num_bins,
        strides=strides,
    ),
    bbox_head=dict(
        type='ATSSVLFusionHead',
        lang_model_name=lang_model_name,
        in_channels=channels,
        feat_channels=channels,
        early_fuse=True,
        num_dyhead_blocks=1,
        residual_gate=0.02,
        fusion=dict(embed_dim=256, num_heads=4, dropout=0.0),
        anchor_generator=dict(
            type='AnchorGenerator',
            ratios=[1.0],
            octave_base_scale=8,
            scales_per_octave=1,
            strides=strides,
            center_offset=0.5,
        ),
    ),
    language_model=dict(
        type='BertModel',
        name=lang_model_name,
        config=dict(
            hidden_size=384,
            num_hidden_layers=2,
            num_attention_heads=12,
            intermediate_size=1536,
            max_position_embeddings=256,
        ),
    ),
    test_cfg=dict(
        nms_pre=1000,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=100,
    ),
)

train_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='GTBoxSubOne_GLIP'),
    dict(
        type='RandomChoiceResize',
        scales=[(416, 416), (448, 448), (480, 480), (512, 512), (544, 544)],
        keep_ratio=True,
        resize_type='FixScaleResize',
        backend='pillow',
    ),
    dict(type='RandomFlip_GLIP', prob=0.5),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1), keep_empty=False),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='FixScaleResize', scale=(512, 512), keep_ratio=True, backend='pillow'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

max_epochs = 12
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
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
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.05),
    paramwise_cfg=dict(
        custom_keys=dict(backbone=dict(lr_mult=0.2)),
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
    ),
    clip_grad=dict(max_norm=5, norm_type=2),
)
default_hooks = dict(logger=dict(interval=10))
# Of few-shot runs (tools/few_shot.py); other rates are the original's.
few_shot = dict(linear_probe=dict(lr=2e-3))
auto_scale_lr = dict(enable=False, base_batch_size=8)
load_from = 'glip-nano'
