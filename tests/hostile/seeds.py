"""Valid input for every door, a folder each, which mutations then damage."""

from __future__ import annotations

import json
import pickle
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import coco_folder
import entities_folder
import grounding_files
import miniature
import predictions
import set_folders
import small_evaluation
import torch
from PIL import Image
from safetensors.torch import save_file
from standin import scene, write_standin

_VOC = """<annotation><filename>{name}</filename>
<size><width>100</width><height>80</height><depth>3</depth></size>
<object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin>
<xmax>10</xmax><ymax>20</ymax></bndbox></object></annotation>"""
_COLUMNS = 'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf'


def write_all(root: Path) -> Path:
    """Write the seeds of all doors below ``root``."""
    for name in ('coco', 'lvis', 'odvg', 'mdetr', 'voc', 'refcoco', 'images', 'odd'):
        (root / name).mkdir(parents=True)
    data = set_folders.content(set_folders.NAMES['coco'], 3)
    coco_folder.write(root / 'coco', data)
    captions = [
        {'id': i, 'image_id': i, 'caption': 'a cat and a dog'} for i in (1, 2, 3)
    ]
    _json(root / 'coco/captions.json', {'annotations': captions})
    found = predictions.perfect(data)
    predictions.write(root / 'coco/found.pkl', found)
    _lvis(root / 'lvis', data)
    _odvg(root / 'odvg')
    grounding_files.write_mdetr(root / 'mdetr', grounding_files.mdetr())
    entities_folder.write(root / 'flickr', pictures=4)
    listed = (root / 'flickr/test.txt').read_text().splitlines()
    (root / 'flickr/test.txt').write_text('\n'.join(listed[2:]))  # those with boxes
    for number in range(3):
        name = f'{number}.jpg'
        (root / f'voc/{number}.xml').write_text(_VOC.format(name=name))
        Image.new('RGB', (100, 80)).save(root / 'voc' / name)
    _refcoco(root / 'refcoco')
    _pictures(root / 'images')
    _tables(root / 'odd')
    _weights(root / 'model')
    return root


def _json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))


def _lvis(folder: Path, data: dict[str, Any]) -> None:
    content = json.loads(json.dumps(data))
    for image in content['images']:
        image |= {'neg_category_ids': [2], 'not_exhaustive_category_ids': [1]}
        image['coco_url'] = f'http://host/val2017/{image.pop("file_name")}'
    for category in content['categories']:
        category['frequency'] = 'c'
    coco_folder.write(folder / 'val2017', data)
    _json(folder / 'lvis.json', content)


def _odvg(folder: Path) -> None:
    source = miniature.synthetic(folder / 'pictures')
    boxes = [
        {
            'filename': record['filename'],
            'width': 64,
            'height': 48,
            'detection': {
                'instances': [{'bbox': [4, 6, 24, 30], 'label': 0, 'category': 'red'}]
            },
        }
        for record in source.odvg
    ]
    for name, records in (('words', source.odvg), ('boxes', boxes)):
        text = ''.join(json.dumps(record) + '\n' for record in records)
        (folder / f'{name}.jsonl').write_text(text)
    _json(folder / 'boxes_label_map.json', {'0': 'red', '1': 'green'})
    with tarfile.open(folder / 'shard-000000.tar', 'w') as tar:
        for number, record in enumerate(source.odvg):
            picture = (source.pictures / record['filename']).read_bytes()
            for ending, content in (
                ('png', picture),
                ('json', json.dumps(record).encode()),
            ):
                member = tarfile.TarInfo(f'{number:06d}.{ending}')
                member.size = len(content)
                tar.addfile(member, BytesIO(content))


def _refcoco(folder: Path) -> None:
    coco_folder.write(folder, num_images=2).rename(folder / 'instances.json')
    refs = [
        {
            'ref_id': number,
            'image_id': number,
            'ann_id': 2 * number,
            'split': 'train',
            'sentences': [{'sent': 'left one', 'raw': 'Left one', 'sent_id': number}],
        }
        for number in (1, 2)
    ]
    (folder / 'refs(unc).p').write_bytes(pickle.dumps(refs, protocol=2))


def _pictures(folder: Path) -> None:
    picture = Image.fromarray(scene(64, 48, red=(4, 4, 40, 40))[..., ::-1].copy())
    for ending in ('png', 'jpg', 'gif', 'tif', 'webp', 'bmp'):
        picture.save(folder / f'a.{ending}')


def _tables(folder: Path) -> None:
    """Tables, logs, word lists and vocabularies."""
    rows = ['aa,x,/m/1,1,0.1,0.5,0.25,0.75,0', 'bb,x,/m/2,1,0,1,0,1,0']
    (folder / 'boxes.csv').write_text('\n'.join([_COLUMNS, *rows]) + '\n')
    (folder / 'names.csv').write_text('/m/1,Tortoise\n/m/2,"Coffee, hot"\n')
    for name in ('aa', 'bb'):
        Image.new('RGB', (200, 100)).save(folder / f'{name}.jpg')
    things = [{'x': 1, 'y': 2, 'w': 10, 'h': 20, 'names': ['cat']}]
    _json(folder / 'objects.json', [{'image_id': 1, 'objects': things}])
    image = {'image_id': 1, 'width': 100, 'height': 80, 'coco_id': None}
    image['url'] = 'https://host/VG_100K/1.jpg'
    _json(folder / 'image_data.json', [image])
    lines = [
        {'lr': 0.1, 'loss': 1.0 / step, 'time': 0.5, 'epoch': 1, 'iter': step}
        | {'step': step}
        for step in (1, 2, 3)
    ]
    lines.append({'coco/bbox_mAP': 0.5, 'step': 1})
    text = ''.join(json.dumps(line) + '\n' for line in lines)
    (folder / 'scalars.json').write_text(text)
    row = {'name': 'one', 'pictures': 3, 'results': {'coco/bbox_mAP': 0.5}}
    _json(folder / 'sets.json', {'config': 'c.py', 'sets': [row], 'mean': {}})
    _json(
        folder / 'words.json',
        {'synonyms': {'cat': ['kitty'], 'dog': []}, 'other_words': ['sky']},
    )
    tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'b']
    (folder / 'vocab.txt').write_text('\n'.join(tokens) + '\n')
    _json(folder / 'tokenizer_config.json', {'do_lower_case': True})


def _weights(folder: Path) -> None:
    """A tiny model with weights in two formats, and a stand-in with its config."""
    small_evaluation.write(folder)
    for name in ('weights_1.pth',):
        (folder / name).unlink()
    state = torch.load(folder / 'weights_0.pth', weights_only=True)['state_dict']
    save_file(state, folder / 'weights.safetensors')
    write_standin(folder)
    config = small_evaluation.config(Path('FOLDER'), Path('WORK_DIR')).to_dict()
    train = json.loads(json.dumps(config['test_dataloader']))
    train['dataset'] |= {'test_mode': False, 'pipeline': _TRAINING_PIPELINE}
    train['sampler']['shuffle'] = True
    config |= {
        'train_dataloader': train,
        'train_cfg': {'type': 'EpochBasedTrainLoop', 'max_epochs': 1},
        'val_evaluator': config['test_evaluator'],
        'val_cfg': {'type': 'ValLoop'},
        'optim_wrapper': {
            'type': 'OptimWrapper',
            'optimizer': {'type': 'AdamW', 'lr': 0.001},
            'clip_grad': {'max_norm': 1.0},
        },
        'param_scheduler': [{'type': 'LinearLR', 'start_factor': 0.1, 'end': 2}],
        'auto_scale_lr': {'enable': False, 'base_batch_size': 16},
        'randomness': {'seed': 0},
    }
    config['default_hooks']['checkpoint'] = {'type': 'CheckpointHook', 'interval': 1}
    config.pop('experiment_name')
    config['test_dataloader']['dataset']['pipeline'] = _PIPELINE  # lists, no tuples
    config['val_dataloader'] = config['test_dataloader']
    _json(folder / 'config.json', config)


_PIPELINE = [
    {'type': 'LoadImageFromFile'},
    {'type': 'Resize', 'scale_factor': 1.0},
    {'type': 'LoadAnnotations', 'with_bbox': True},
    {'type': 'PackDetInputs'},
]
_TRAINING_PIPELINE = [
    {'type': 'LoadImageFromFile'},
    {'type': 'LoadAnnotations', 'with_bbox': True},
    {'type': 'GTBoxSubOne_GLIP'},
    {'type': 'Resize', 'scale_factor': 1.0},
    {'type': 'RandomSamplingNegPos'},
    {'type': 'PackDetInputs'},
]
