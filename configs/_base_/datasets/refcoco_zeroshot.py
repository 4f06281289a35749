# RefCOCO, val and both tests, in MDETR's layout: a sample for each sentence.
_base_ = './grounding_zeroshot.py'

data_root = 'data/'
part = dict(
    type='MDETRStyleRefCocoDataset',
    data_root=data_root,
    data_prefix=dict(img='coco/train2014/'),
    test_mode=True,
    pipeline=_base_.pipeline,
)
parts = ['refcoco_val', 'refcoco_testA', 'refcoco_testB']
datasets = [dict(part, ann_file=f'refcoco/finetune_{name}.json') for name in parts]

val_dataloader = dict(dataset=dict(datasets=datasets))
test_dataloader = val_dataloader

val_evaluator = dict(
    metrics=[dict(type='RefExpMetric') for _ in parts],
    dataset_prefixes=parts,
)
test_evaluator = val_evaluator
