# Few-shot runs of GLIP-nano on a CPU: small pictures, no loading processes. See
# docs/few_shot.md.
_base_ = './glip_nano_csp_minilm.py'

train_pipeline = _base_.train_pipeline
train_pipeline[3].scales = [(288, 288), (320, 320), (352, 352)]
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (320, 320)

_loading = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline), **_loading)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline), **_loading)
test_dataloader = val_dataloader

# Words move a tenth as fast as the rest, as in the original.
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(language_model=dict(lr_mult=0.1)))
)
