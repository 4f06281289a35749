# How the original pre-trained GLIP-T, (A) to (C) too: 30 epochs, 64 pictures a step.
max_epochs = 30
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=2000),
    # A tenth after .67 and .89 of the epochs.
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_epochs,
        by_epoch=True,
        milestones=[20, 27],
        gamma=0.1,
    ),
]

# AmpOptimWrapper trains with mixed precision (as --amp does); dtype says which.
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='GLIPOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=1e-4),
    # The rules multiply: biases of the language model have 2e-5.
    paramwise_cfg=dict(
        custom_keys=dict(language_model=dict(lr_mult=0.1)),
        bias_lr_mult=2.0,
        bias_decay_mult=0.0,
        norm_decay_mult=0.0,
    ),
    clip_grad=dict(max_norm=1.0, norm_type=2),
)

# The average of the weights is what is validated, and what a checkpoint holds.
custom_hooks = [
    dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.001)
]

auto_scale_lr = dict(enable=False, base_batch_size=64)
