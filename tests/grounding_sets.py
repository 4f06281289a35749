"""Flickr30k Entities and RefCOCO in miniature, where the configs look for them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import small_evaluation as small
import torch
from mmengine.config import Config
from PIL import Image

from glip.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'glip'
SIZES = [(64, 48), (48, 96), (100, 70)]
# Of each picture; brackets as in Flickr30k Entities, chain 3 has two boxes, 9 none.
SENTENCES = [
    '[/EN#1/people A man] with [/EN#2/animals a dog] in [/EN#9/scene the park] .',
    '[/EN#3/clothing/other Two hats] on [/EN#1/people a man] .',
    'Nothing is [/EN#0/notvisual here] .',
]
REFERRING = ['the man', 'left dog']
PARTS = {
    'refcoco': ('val', 'testA', 'testB'),
    'refcoco+': ('val', 'testA', 'testB'),
    'refcocog': ('val', 'test'),
}


def boxes_of(number: int) -> dict[str, list[tuple[int, int, int, int]]]:
    """Chain -> boxes of a picture: x1 y1 x2 y2."""
    width, height = SIZES[number % len(SIZES)]
    return {
        '1': [(0, 0, width - 1, height - 1)],
        '2': [(2, 3, width // 2, height - 4)],
        '3': [(5, 1, width // 3, height // 2), (width // 2, 4, width - 3, height - 2)],
    }


def write(root: Path) -> Path:
    """Write ``data/`` below a folder.

    Returns:
        Weights of a tiny model, whose boxes are here and there.
    """
    flickr = root / 'data' / 'flickr30k_entities'
    for number in range(6):
        split = ('val', 'test')[number % 2]
        _write_flickr(flickr, number, split)
    for split in ('val', 'test'):
        ids = [100 + n for n in range(6) if n % 2 == (split == 'test')]
        (flickr / f'{split}.txt').write_text('\n'.join(map(str, ids)) + '\n')
        content = _mdetr_of(flickr, ids)
        path = flickr / f'final_flickr_separateGT_{split}.json'
        path.write_text(json.dumps(content))
    for name, parts in PARTS.items():
        for part in parts:
            _write_refcoco(root / 'data', name, part)
    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry('glip'):
        model = MODELS.build(copy.deepcopy(small.MODEL))
    for parameter in model.bbox_head.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    path = root / 'weights.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def config(root: Path, name: str, stop_after: int | None = None) -> Path:
    """A config of ours with the tiny model in the place of its own.

    Args:
        root: Where to write it.
        name: Its file below ``configs/glip``, or the path of one of mmdet's.
        stop_after: Batches after which an evaluation stops as by Ctrl-C.
    """
    cfg = Config.fromfile(CONFIGS / name)
    cfg.model = Config(
        dict(model=small.MODEL | dict(test_cfg=dict(score_thr=0.0, max_per_img=30)))
    ).model
    for part in cfg.test_dataloader.dataset.datasets:
        for step in part.pipeline:
            if step.type == 'FixScaleResize':
                step.scale = (96, 96)
    cfg.test_dataloader.num_workers = 0
    cfg.test_dataloader.persistent_workers = False
    cfg.default_scope = 'glip'
    cfg.log_level = 'WARNING'
    if stop_after is not None:
        cfg.custom_hooks = [dict(type='Stop', after=stop_after)]
    path = root / f'{Path(name).stem}.py'
    cfg.dump(path)
    return path


def _write_flickr(folder: Path, number: int, split: str) -> None:
    """Picture, sentences and boxes of one picture."""
    size = SIZES[number % len(SIZES)]
    picture(folder / 'flickr30k_images' / f'{100 + number}.jpg', size, number)
    (folder / 'Sentences').mkdir(exist_ok=True)
    (folder / 'Annotations').mkdir(exist_ok=True)
    text = '\n'.join(SENTENCES) + '\n'
    (folder / 'Sentences' / f'{100 + number}.txt').write_text(text)
    objects = ''
    for chain, boxes in boxes_of(number).items():
        for corners in boxes:
            sides = zip(('xmin', 'ymin', 'xmax', 'ymax'), corners)
            inside = ''.join(f'<{side}>{value}</{side}>' for side, value in sides)
            objects += f'<object><name>{chain}</name><bndbox>{inside}</bndbox></object>'
    width, height = size
    (folder / 'Annotations' / f'{100 + number}.xml').write_text(
        f'<annotation><filename>{100 + number}.jpg</filename><size>'
        f'<width>{width}</width><height>{height}</height></size>{objects}</annotation>'
    )


def _mdetr_of(flickr: Path, ids: list[int]) -> dict[str, Any]:
    """MDETR's file of the same captions, phrases and boxes."""
    from glip.datasets.flickr30k_entities import read_boxes, read_sentences

    images: list[Any] = []
    annotations: list[Any] = []
    for image_id in ids:
        xml = flickr / 'Annotations' / f'{image_id}.xml'
        name, width, height, boxes = read_boxes(str(xml))
        text = str(flickr / 'Sentences' / f'{image_id}.txt')
        for number, (caption, phrases) in enumerate(read_sentences(text)):
            asked = [p for p in phrases if p.chain in boxes]
            images.append(
                {
                    'id': len(images) + 1,
                    'file_name': name,
                    'width': width,
                    'height': height,
                    'caption': caption,
                    'original_img_id': image_id,
                    'sentence_id': number,
                    'dataset_name': 'flickr',
                    'tokens_positive_eval': [[list(p.span)] for p in asked],
                }
            )
            for phrase in asked:
                for x1, y1, x2, y2 in boxes[phrase.chain]:
                    annotations.append(
                        _annotation(annotations, images, phrase.span, (x1, y1, x2, y2))
                    )
    return _content(images, annotations)


def _write_refcoco(data: Path, name: str, part: str) -> None:
    """A file of MDETR's and its pictures."""
    images: list[Any] = []
    annotations: list[Any] = []
    number = list(PARTS).index(name)
    file_name = f'COCO_train2014_{number:012d}.jpg'
    width, height = SIZES[number]
    picture(data / 'coco' / 'train2014' / file_name, (width, height), 10 + number)
    for caption, boxes in zip(REFERRING, boxes_of(number).values()):
        image = {'file_name': file_name, 'width': width, 'height': height}
        image |= {'id': len(images) + 1, 'caption': caption, 'dataset_name': name}
        images.append(image)
        span = (0, len(caption) - 1)  # MDETR's spans are not always whole captions
        annotations.append(_annotation(annotations, images, span, boxes[0]))
    path = data / 'refcoco' / f'finetune_{name}_{part}.json'
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(_content(images, annotations)))


def _annotation(annotations: Any, images: Any, span: Any, box: Any) -> dict[str, Any]:
    x1, y1, x2, y2 = box
    return {
        'id': len(annotations) + 1,
        'image_id': images[-1]['id'],
        'category_id': 1,
        'bbox': [x1, y1, x2 - x1, y2 - y1],
        'area': (x2 - x1) * (y2 - y1),
        'iscrowd': 0,
        'tokens_positive': [list(span)],
    }


def _content(images: Any, annotations: Any) -> dict[str, Any]:
    categories = [{'id': 1, 'name': 'object', 'supercategory': 'object'}]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def picture(path: Path, size: tuple[int, int], seed: int) -> None:
    """Noise, so that scores differ from place to place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3))
    Image.fromarray(noise.astype(np.uint8)).save(path, quality=95)
