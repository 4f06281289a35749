# How the original pre-trained GLIP-L: a million steps of 64 pictures, more decay, no
# EMA. Of its backbone patch embedding and first stage are frozen (by the model).
_base_ = './schedule_glip_pretrain.py'

max_iters = 1000000
val_interval = 20000
train_cfg = dict(
    _delete_=True,
    type='IterBasedTrainLoop',
    max_iters=max_iters,
    val_interval=val_interval,
)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=2000),
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_iters,
        by_epoch=False,
        milestones=[670000, 890000],
        gamma=0.1,
    ),
    # The decay falls too, two thirds of the way to each step.
    dict(
        type='MultiStepParamScheduler',
        param_name='weight_decay',
        by_epoch=False,
        milestones=[446890, 593630],
        gamma=0.1,
    ),
]
optim_wrapper = dict(optimizer=dict(weight_decay=0.01))
custom_hooks = []  # no average of the weights

# A config with this schedule also counts its checkpoints and log in steps:
# default_hooks = dict(checkpoint=dict(by_epoch=False, interval=val_interval))
# log_processor = dict(by_epoch=False)
