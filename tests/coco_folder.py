"""Make small COCO-format folders of coloured rectangles."""

import json
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

COLOURS = {'red': (220, 30, 30), 'green': (30, 180, 40), 'blue': (40, 40, 220)}


def content(num_images: int = 4, size: tuple[int, int] = (64, 48)) -> dict[str, Any]:
    """An annotation file: picture i shows boxes of class i and i + 1 (of three)."""
    names = list(COLOURS)
    images, annotations = [], []
    for i in range(num_images):
        images.append(
            {
                'id': i + 1,
                'file_name': f'{i}.png',
                'width': size[0],
                'height': size[1],
            }
        )
        for place in range(2):
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': i + 1,
                    'category_id': (i + place) % 3 + 1,
                    'bbox': [4 + 28 * place, 6 + i % 5, 20, 24],
                    'area': 480,
                    'iscrowd': 0,
                }
            )
    categories = [{'id': i + 1, 'name': name} for i, name in enumerate(names)]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def write(folder: Path, data: dict[str, Any] | None = None, **kwargs: Any) -> Path:
    """Write ``annotations.json`` and the pictures beside it.

    Returns:
        The annotation file.
    """
    data = content(**kwargs) if data is None else data
    folder.mkdir(parents=True, exist_ok=True)
    colours = dict(zip((c['id'] for c in data['categories']), COLOURS.values()))
    for image in data['images']:
        picture = Image.new('RGB', (image['width'], image['height']), (128, 128, 128))
        draw = ImageDraw.Draw(picture)
        for a in data['annotations']:
            if a.get('image_id') == image['id'] and a.get('category_id') in colours:
                x, y, w, h = a['bbox']
                corners = (x, y, x + w - 1, y + h - 1)
                if w > 0 and h > 0:
                    draw.rectangle(corners, colours[a['category_id']])
        picture.save(folder / image['file_name'])
    path = folder / 'annotations.json'
    path.write_text(json.dumps(data))
    return path
