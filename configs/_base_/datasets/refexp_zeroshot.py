# RefCOCO, RefCOCO+ and RefCOCOg: all eight parts in one run.
_base_ = './refcoco_zeroshot.py'

parts = [
    *('refcoco_val', 'refcoco_testA', 'refcoco_testB'),
    *('refcoco+_val', 'refcoco+_testA', 'refcoco+_testB'),
    *('refcocog_val', 'refcocog_test'),
]
datasets = [
    dict(_base_.part, ann_file=f'refcoco/finetune_{name}.json') for name in parts
]
val_dataloader = dict(dataset=dict(datasets=datasets))
test_dataloader = val_dataloader
val_evaluator = dict(
    metrics=[dict(type='RefExpMetric') for _ in parts], dataset_prefixes=parts
)
test_evaluator = val_evaluator
