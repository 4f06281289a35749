"""Doors for pictures and annotations."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip.datasets.stream import ODVGStream
from glip.evaluation.offline import build_dataset
from glip.images import find_images, load_image
from glip.registry import DATASETS
from glip.teach.words import WordList
from glip.text.tokenizer import Tokenizer
from hostile.doors import door, run, word
from hostile.mutations import damage_bytes, replace_file, value

_TO_ODVG = 'tools/dataset_converters/{}2odvg.py'
_PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]


@door('images', *(f'a.{e}' for e in ('png', 'jpg', 'gif', 'tif', 'webp', 'bmp')))
def picture(case: Path, rng: random.Random) -> object:
    for path in sorted(case.iterdir()):
        load_image(path)
    return find_images(case)


def _read(case: Path, rng: random.Random, kind: str, **fields: Any) -> object:
    """Build a data set and take its first samples."""
    fields = dict(data_root=str(case), data_prefix=dict(img='')) | fields
    with DefaultScope.overwrite_default_scope('glip'):
        data = DATASETS.build(
            dict(
                type=kind,
                pipeline=_PIPELINE,
                test_mode=rng.random() < 0.5,
                filter_cfg=dict(filter_empty_gt=True, min_size=8),
                **fields,
            )
        )
        return [data[i] for i in range(min(2, len(data)))]


@door('coco', 'annotations.json', '0.png', share=3)
def coco_set(case: Path, rng: random.Random) -> object:
    return _read(case, rng, 'CocoDataset', ann_file='annotations.json')


@door('lvis', 'lvis.json', share=2)
def lvis_set(case: Path, rng: random.Random) -> object:
    return _read(case, rng, 'LVISV1Dataset', ann_file='lvis.json')


@door('odvg', 'words.jsonl', share=2)
def odvg_words(case: Path, rng: random.Random) -> object:
    prefix = dict(img='pictures')
    return _read(case, rng, 'ODVGDataset', ann_file='words.jsonl', data_prefix=prefix)


@door('odvg', 'boxes.jsonl', 'boxes_label_map.json', share=2)
def odvg_boxes(case: Path, rng: random.Random) -> object:
    return _read(
        *(case, rng, 'ODVGDataset'),
        ann_file='boxes.jsonl',
        label_map_file='boxes_label_map.json',
        data_prefix=dict(img='pictures'),
    )


@door('mdetr', 'data.json', share=2)
def mdetr_set(case: Path, rng: random.Random) -> object:
    kind = rng.choice(('MDETRDataset', 'Flickr30kDataset', 'MDETRStyleRefCocoDataset'))
    return _read(case, rng, kind, ann_file='data.json')


def _some(folder: Path, pattern: str, rng: random.Random) -> Path:
    return rng.choice(sorted(folder.glob(pattern)))


@door('flickr', 'test.txt', share=2)
def flickr_set(case: Path, rng: random.Random) -> object:
    if rng.random() < 0.8:
        file = _some(case, rng.choice(('Sentences/*', 'Annotations/*')), rng)
        data = file.read_bytes()
        if rng.random() < 0.2:
            replace_file(file, rng)
        else:
            file.write_bytes(damage_bytes(data, rng))
    if rng.random() < 0.4:
        out = case / 'out.jsonl'
        return run(_TO_ODVG.format('flickr'), case, '-o', out)
    kwargs = dict(ann_file='test.txt') if rng.random() < 0.5 else {}
    prefix = dict(img='images')
    return _read(case, rng, 'Flickr30kEntitiesDataset', data_prefix=prefix, **kwargs)


@door('refcoco', 'refs(unc).p', 'instances.json', share=2)
def refcoco_set(case: Path, rng: random.Random) -> object:
    if rng.random() < 0.5:
        return run(_TO_ODVG.format('refcoco'), case, '-o', case / 'out')
    return _read(
        *(case, rng, 'RefCOCODataset'), ann_file='instances.json', split='train'
    )


@door('odvg', 'words.jsonl', 'boxes.jsonl', 'shard-000000.tar', share=3)
def stream(case: Path, rng: random.Random) -> object:
    name = rng.choice(('words.jsonl', 'boxes.jsonl', 'shard-*.tar'))
    with DefaultScope.overwrite_default_scope('glip'):
        samples = ODVGStream(
            name,
            _PIPELINE,
            data_root=str(case),
            data_prefix=dict(img=str(case / 'pictures')),
            label_map_file='boxes_label_map.json',
            shuffle=rng.choice((0, 10)),
            max_broken_images=10,
            seed=0,
        )
        return list(itertools.islice(samples.packed(0, 0, 1), 12))


@door('coco', 'annotations.json', 'captions.json', share=2)
def convert_coco(case: Path, rng: random.Random) -> object:
    file, out = case / 'annotations.json', case / 'out.jsonl'
    kind = rng.choice(('coco', 'coco_captions', 'lvis'))
    files = [file, case / 'captions.json'] if kind == 'coco_captions' else [file]
    return run(_TO_ODVG.format(kind), *files, '-o', out)


@door('odvg', 'words.jsonl', 'boxes.jsonl', 'boxes_label_map.json', share=3)
def convert_odvg(case: Path, rng: random.Random) -> object:
    kind = rng.choice(('odvg2coco', 'odvg2mdetr', 'odvg2shards'))
    name = {'odvg2coco': 'boxes', 'odvg2mdetr': 'words'}.get(kind)
    name = name or rng.choice(('boxes', 'words'))
    files: list[object] = [case / f'{name}.jsonl']
    if kind == 'odvg2shards':
        files += [case / 'pictures', '-o', case / 'out']
    return run(f'tools/dataset_converters/{kind}.py', *files)


@door('mdetr', 'data.json')
def convert_mdetr(case: Path, rng: random.Random) -> object:
    return run(_TO_ODVG.format('goldg'), case / 'data.json', '-o', case / 'out.jsonl')


@door('voc', '0.xml', '1.xml', share=2)
def convert_voc(case: Path, rng: random.Random) -> object:
    return run(_TO_ODVG.format('voc'), case, '-o', case / 'out.jsonl')


@door('odd', 'boxes.csv', 'names.csv', 'aa.jpg', share=2)
def convert_openimages(case: Path, rng: random.Random) -> object:
    files = ['--boxes', case / 'boxes.csv', '--classes', case / 'names.csv']
    files += ['--img-prefix', case, '--out-ann', case / 'out.jsonl']
    return run(_TO_ODVG.format('openimages'), *files)


@door('odd', 'objects.json', 'image_data.json', share=2)
def convert_visual_genome(case: Path, rng: random.Random) -> object:
    files = (case / 'objects.json', case / 'image_data.json')
    return run(_TO_ODVG.format('visual_genome'), *files, '-o', case / 'out.jsonl')


@door('odd', 'words.json')
def word_list(case: Path, rng: random.Random) -> object:
    return WordList.read(case / 'words.json')


@door('odd', 'vocab.txt', 'tokenizer_config.json')
def vocabulary(case: Path, rng: random.Random) -> object:
    return Tokenizer(str(case / rng.choice(('', 'vocab.txt')))).tokenize('a b')


@door('coco', share=2)
def set_options(case: Path, rng: random.Random) -> object:
    """Arguments of a data set that no file is damaged for."""
    key = rng.choice(
        ('ann_file', 'data_root', 'data_prefix', 'metainfo', 'filter_cfg', 'indices')
        + ('test_mode', 'serialize_data', 'max_broken_images', 'return_classes')
        + ('caption_prompt', 'max_refetch', 'backend_args')
    )
    fields: dict[str, Any] = dict(ann_file='annotations.json')
    fields |= dict(data_root=str(case), data_prefix=dict(img=''), pipeline=_PIPELINE)
    fields[key] = value(rng)
    if key == 'metainfo' and rng.random() < 0.7:
        fields[key] = {'classes': value(rng)}
    if key == 'filter_cfg' and rng.random() < 0.7:
        fields[key] = {rng.choice(('min_size', 'filter_empty_gt')): value(rng)}
    loader = dict(dataset=dict(type='CocoDataset', **fields))
    return build_dataset(Config(dict(test_dataloader=loader)))


@door('coco', share=2)
def convert_options(case: Path, rng: random.Random) -> object:
    """Words of a converter's command line, its output among them."""
    flags = [
        *(['--output', word(rng)], ['--classes', word(rng)], ['--dataset', word(rng)]),
        *(['--label-map', word(rng)], ['-o', str(case / 'annotations.json')]),
        *(['-o', str(case)], ['-o', '/dev/full'], ['-o', str(case / '0.png' / 'x')]),
    ]
    chosen = rng.choice(flags)
    if chosen[0] in ('--output', '--label-map') and '/' in chosen[1]:
        chosen[1] = chosen[1].lstrip('/~.')
    return run(_TO_ODVG.format('coco'), case / 'annotations.json', *chosen)
