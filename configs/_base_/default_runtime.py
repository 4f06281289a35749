default_scope = 'glip'
# With its scope, as clients of mmdet and mmengine look it up without one.
runner_type = 'glip.GLIPRunner'  # safe checkpoints of any layout, see docs/training.md
custom_imports = dict(imports=['glip'], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook',
        interval=1,
        max_keep_ckpts=3,
        save_best='coco/bbox_mAP',
        rule='greater',
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='DetVisualizationHook', train_interval=500),
    status=dict(type='TrainStatusHook'),  # every learning rate; memory on the CPU
    invalid_loss=dict(type='CheckInvalidLossHook'),  # stops, naming the pictures
    curves=dict(type='CurvesHook'),  # work_dir/curves.png
    broken_pictures=dict(type='BrokenPicturesHook'),  # work_dir/broken_pictures.txt
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),  # gloo where there is no GPU
)

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(
    type='DetLocalVisualizer', vis_backends=vis_backends, name='visualizer'
)
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)

log_level = 'INFO'
load_from = None
resume = False
