# LVIS v1 val: 19809 pictures, 1203 classes, at most 300 boxes of a picture.
data_root = 'data/coco/'
lvis_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='FixScaleResize', scale=(800, 1333), keep_ratio=True, backend='pillow'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=(
            *('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
            *('text', 'custom_entities', 'caption_prompt'),
        ),
    ),
]
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='LVISV1Dataset',
        data_root=data_root,
        ann_file='annotations/lvis_v1_val.json',
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=lvis_pipeline,
    )
)
test_dataloader = val_dataloader

# Fixed AP besides: no limit but 10000 boxes of a class over all pictures.
val_evaluator = [
    dict(type=kind, _scope_='glip', ann_file=data_root + 'annotations/lvis_v1_val.json')
    for kind in ('LVISMetric', 'LVISFixedAPMetric')
]
test_evaluator = val_evaluator

# 40 names per prompt, as in the published numbers
model = dict(test_cfg=dict(max_per_img=300, chunked_size=40))
