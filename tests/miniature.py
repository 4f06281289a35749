"""Make every data set that a config trains on, a few pictures each, where it looks."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coco_folder

from glip.runtime.leaves import iter_leaves


@dataclass(frozen=True)
class Source:
    """What miniatures are made of: annotations in three formats over one folder."""

    pictures: Path
    coco: dict[str, Any]
    mdetr: dict[str, Any]
    odvg: list[dict[str, Any]]


def synthetic(folder: Path) -> Source:
    """Coloured rectangles and sentences about them."""
    file = coco_folder.write(folder, num_images=6)
    coco = json.loads(file.read_text())
    return Source(folder, coco, *_sentences(coco))


def make(loader: Mapping[str, Any], root: Path, source: Source) -> int:
    """Write what a loader's data sets name, below ``root``.

    Returns:
        The number of data sets.
    """
    count = 0
    for dataset in iter_leaves(loader['dataset']):
        count += 1
        if 'shards' in dataset:
            _write_shards(dataset, root, source)
            continue
        home = root / dataset['data_root']
        pictures = home / dataset['data_prefix']['img']
        pictures.parent.mkdir(parents=True, exist_ok=True)
        if not pictures.exists():
            pictures.symlink_to(source.pictures)
        file = home / dataset['ann_file']
        file.parent.mkdir(parents=True, exist_ok=True)
        kind = dataset['type']
        if kind == 'ODVGDataset':
            file.write_text('\n'.join(map(json.dumps, source.odvg)))
        else:
            file.write_text(
                json.dumps(source.mdetr if kind == 'MDETRDataset' else source.coco)
            )
    return count


def _sentences(
    coco: Mapping[str, Any],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The same as MDETR file and as ODVG records: 'a red thing and a green thing'."""
    names = {c['id']: c['name'] for c in coco['categories']}
    images, annotations, records = [], [], []
    for image in coco['images']:
        mine = [a for a in coco['annotations'] if a['image_id'] == image['id']]
        phrases = [f'a {names[a["category_id"]]} thing' for a in mine]
        caption = ' and '.join(phrases)
        regions = []
        for annotation, phrase in zip(mine, phrases, strict=True):
            begin = caption.index(phrase)
            span = [begin, begin + len(phrase)]
            annotations.append(dict(annotation, tokens_positive=[span]))
            x, y, w, h = annotation['bbox']
            box = [x, y, x + w, y + h]
            regions.append({'bbox': box, 'phrase': phrase, 'tokens_positive': [span]})
        images.append(dict(image, caption=caption))
        records.append(
            {
                'filename': image['file_name'],
                'width': image['width'],
                'height': image['height'],
                'grounding': {'caption': caption, 'regions': regions},
            }
        )
    categories = [{'id': i, 'name': name} for i, name in names.items()]
    return (
        {'images': images, 'annotations': annotations, 'categories': categories},
        records,
    )


def _write_shards(dataset: Mapping[str, Any], root: Path, source: Source) -> None:
    """One tar file that the pattern matches."""
    file = root / str(dataset['shards']).replace('*', '000000')
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, 'w') as tar:
        for number, record in enumerate(source.odvg):
            picture = source.pictures / record['filename']
            for suffix, data in (
                (picture.suffix, picture.read_bytes()),
                ('.json', json.dumps(record).encode()),
            ):
                entry = tarfile.TarInfo(f'{number:06d}{suffix}')
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
