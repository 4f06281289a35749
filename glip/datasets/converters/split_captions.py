"""Pictures with boxes and captions, split into a labelled and a captioned part."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glip.datasets.coco_file import checked_images, read_sections, section
from glip.datasets.converters.coco_captions import caption_annotations
from glip.datasets.converters.output import PathLike, atomic_text, compact_json
from glip.datasets.converters.result import Result
from glip.datasets.converters.write import check_files
from glip.datasets.sample import Dropped
from glip.errors import DatasetError


def split_captions(
    instances: PathLike,
    captions: PathLike,
    out_dir: PathLike,
    *,
    labelled: int,
    seed: int = 0,
) -> list[Result]:
    """Keep people's boxes for some pictures and only the captions of the others.

    Args:
        instances: COCO's ``instances_*.json``.
        captions: ``captions_*.json`` of the same pictures.
        out_dir: Folder of ``labelled_instances.json``, ``labelled_captions.json`` and
            ``unlabelled_captions.json``.
        labelled: Number of pictures that keep their boxes, drawn by the seed.
        seed: Of the draw; the same files and seed give the same parts.

    Raises:
        DatasetError: A file cannot be used or written, or there are not more pictures
            than shall be labelled.
    """
    source = os.fspath(instances)
    content = read_sections(source)
    images = checked_images(content, source)
    sentences = caption_annotations(captions)
    if not 0 < labelled < len(images):
        raise DatasetError(
            f'{labelled} labelled pictures of {len(images)} in {source}: give a '
            'number between'
        )
    order = np.random.default_rng(seed).permutation(len(images))[:labelled]
    chosen = {images[i]['id'] for i in order}
    ids = {image['id'] for image in images}
    parts: dict[str, dict[str, Any]] = {
        'labelled_instances': {
            'images': [image for image in images if image['id'] in chosen],
            'annotations': [
                box
                for box in section(content, 'annotations', source)
                if box.get('image_id') in chosen
            ],
            'categories': section(content, 'categories', source),
        },
        'labelled_captions': _part(images, sentences, chosen),
        'unlabelled_captions': _part(images, sentences, ids - chosen),
    }
    paths = {name: os.path.join(out_dir, f'{name}.json') for name in parts}
    check_files([instances, captions], list(paths.values()))
    results = []
    for name, part in parts.items():
        with atomic_text(paths[name]) as file:
            file.write(compact_json(part) + '\n')
        kind = 'boxes' if name.endswith('instances') else 'captions'
        counts = {'pictures': len(part['images']), kind: len(part['annotations'])}
        results.append(Result(paths[name], Counter(counts), Dropped(source)))
    return results


def _part(
    images: Sequence[Mapping[str, Any]],
    sentences: Sequence[Mapping[str, Any]],
    chosen: set[Any],
) -> dict[str, Any]:
    """A captions file of some of the pictures."""
    return {
        'images': [image for image in images if image['id'] in chosen],
        'annotations': [s for s in sentences if s.get('image_id') in chosen],
    }
