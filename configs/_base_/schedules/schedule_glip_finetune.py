# How the original fine-tuned GLIP on COCO: 24 epochs, 32 pictures a step, one low rate
# for picture and words. schedule_2x.py is mmdet's, which the published models used.
_base_ = './schedule_glip_pretrain.py'

max_epochs = 24
train_cfg = dict(max_epochs=max_epochs)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=2000),
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_epochs,
        by_epoch=True,
        milestones=[16, 21],
        gamma=0.1,
    ),
]
optim_wrapper = dict(
    optimizer=dict(lr=1e-5),
    paramwise_cfg=dict(custom_keys=dict(language_model=dict(lr_mult=1.0))),
)

auto_scale_lr = dict(base_batch_size=32)
