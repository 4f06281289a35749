"""Draw a set of captions with all its files: COCO's, MDETR's and ODVG's of the same."""

import json
import random
from pathlib import Path
from typing import Any

import grounding_files

# COCO's id, the class, and what captions call one and several of it.
WORDS = (
    (1, 'person', ('man', 'woman'), ('men', 'women')),
    (3, 'car', ('car',), ('cars',)),
    (17, 'cat', ('cat',), ('cats',)),
    (18, 'dog', ('dog',), ('dogs',)),
    (49, 'knife', ('knife',), ('knives',)),
    (67, 'dining table', ('dining table',), ('dining tables',)),
    (88, 'teddy bear', ('teddy bear',), ('teddy bears',)),
)
SIZE = (160, 120)


def write(root: Path, split: str = 'val', *, pictures: int = 20, seed: int = 0) -> Path:
    """Write ``annotations/``, and the pictures, of two captions each, to their folder.

    Returns:
        The folder.
    """
    rng = random.Random(seed)
    images, boxes = _boxes(rng, pictures)
    captions, mdetr, odvg = _captions(rng, images, boxes)
    categories = [{'id': number, 'name': name} for number, name, *_ in WORDS]
    contents = {
        f'instances_{split}2017.json': {
            'images': images,
            'annotations': [box for own in boxes.values() for box in own],
            'categories': categories,
        },
        f'captions_{split}2017.json': {'images': images, 'annotations': captions},
        f'grounding_mdetr_{split}2017.json': mdetr,
    }
    folder = root / 'annotations'
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content))
    lines = '\n'.join(map(json.dumps, odvg))
    (folder / f'grounding_odvg_{split}2017.jsonl').write_text(lines + '\n')
    for image in images:
        grounding_files.picture(root / f'{split}2017' / image['file_name'], SIZE)
    return root


def _boxes(rng: random.Random, pictures: int) -> tuple[list, dict[int, list]]:
    """Pictures, and the boxes of each: one to three classes, one to three of each."""
    images, boxes, count = [], {}, 0
    for number in rng.sample(range(1000), pictures):
        width, height = SIZE
        name = f'{number:012d}.png'
        image = {'id': number, 'file_name': name, 'width': width, 'height': height}
        images.append(image)
        boxes[number] = []
        for category, *_ in rng.sample(WORDS, rng.randint(1, 3)):
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                count += 1
                x, y = round(rng.uniform(0, 80), 2), round(rng.uniform(0, 60), 2)
                w, h = round(rng.uniform(5, 70), 2), round(rng.uniform(5, 50), 2)
                boxes[number].append(
                    {
                        'id': count,
                        'image_id': number,
                        'category_id': category,
                        'bbox': [x, y, w, h],
                        'area': w * h,
                        'iscrowd': 0,
                    }
                )
    return images, boxes


def _captions(
    rng: random.Random, images: list, boxes: dict[int, list]
) -> tuple[list, dict[str, Any], list]:
    """Captions in COCO's form, in MDETR's and in ODVG's."""
    captions, sentences, annotations, odvg = [], [], [], []
    for image in images:
        by_class: dict[int, list] = {}
        for box in boxes[image['id']]:
            by_class.setdefault(box['category_id'], []).append(box)
        for sentence in range(2):
            classes = rng.sample(list(by_class), len(by_class))
            caption, spans = _sentence(rng, [(c, len(by_class[c])) for c in classes])
            number = len(sentences) + 1
            captions.append(
                {'id': 1000 + number, 'image_id': image['id'], 'caption': caption}
            )
            sentences.append(
                {
                    'id': number,
                    'file_name': image['file_name'],
                    'height': image['height'],
                    'width': image['width'],
                    'original_img_id': image['id'],
                    'sentence_id': sentence,
                    'caption': caption,
                    'dataset_name': 'flickr',
                    'tokens_negative': [[0, len(caption)]],
                    'tokens_positive_eval': [[span] for span in spans],
                }
            )
            regions = []
            for phrase, (category, span) in enumerate(zip(classes, spans, strict=True)):
                corners = []
                for box in by_class[category]:
                    x, y, w, h = box['bbox']
                    corners.append([x, y, round(x + w, 2), round(y + h, 2)])
                    annotations.append(
                        {
                            'phrase_ids': phrase,
                            'id': len(annotations) + 1,
                            'image_id': number,
                            'bbox': box['bbox'],
                            'area': w * h,
                            'iscrowd': 0,
                            'category_id': 1,
                            'tokens_positive': [span],
                        }
                    )
                regions.append(
                    {
                        'bbox': corners if len(corners) > 1 else corners[0],
                        'phrase': caption[slice(*span)],
                        'tokens_positive': [span],
                    }
                )
            odvg.append(
                {
                    'filename': image['file_name'],
                    'height': image['height'],
                    'width': image['width'],
                    'grounding': {'caption': caption, 'regions': regions},
                }
            )
    mdetr = {
        'info': {},
        'licenses': [],
        'images': sentences,
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'object', 'supercategory': 'object'}],
    }
    return captions, mdetr, odvg


def _sentence(
    rng: random.Random, counts: list[tuple[int, int]]
) -> tuple[str, list[list[int]]]:
    """A sentence about so many of each class, and the characters of each phrase."""
    words = {number: others for number, _, *others in WORDS}
    caption, spans = rng.choice(('', 'Here we see ', 'In “the yard”, ')), []
    for place, (category, count) in enumerate(counts):
        if place:
            caption += rng.choice((' and ', ' next to ', ', with '))
        one, several = words[category]
        if count == 1:
            phrase = f'{rng.choice(("a", "the", "a brown"))} {rng.choice(one)}'
        else:
            many = ('two', 'several', 'some') if count == 2 else ('three', 'several')
            phrase = f'{rng.choice(many)} {rng.choice(several)}'
        if not caption:
            phrase = phrase.capitalize()
        spans.append([len(caption), len(caption) + len(phrase)])
        caption += phrase
    return caption + rng.choice(('.', ' in the rain .', ' at a café.')), spans
