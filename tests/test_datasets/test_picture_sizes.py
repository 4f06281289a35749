"""Sizes of pictures, and the frame that boxes were drawn in."""

import json

import coco_folder
import numpy as np
import pytest
from PIL import Image

from glip.datasets import CocoDataset, picture_sizes
from glip.datasets.converters.from_coco import coco_to_odvg
from glip.errors import DatasetError
from glip.transforms import LoadImageFromFile

UPRIGHT = (48, 64)
# EXIF orientation -> what takes the upright picture to how a camera stores it.
STORED = {
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
LOW, BOTH = [8, 50, 20, 10], [8, 8, 20, 10]  # boxes of the upright picture


def write(folder, orientations, boxes, sizes):
    """Pictures of 48x64 with a red box, and annotations as they are given."""
    images, annotations = [], []
    for i, (orientation, box, size) in enumerate(zip(orientations, boxes, sizes)):
        pixels = np.full((UPRIGHT[1], UPRIGHT[0], 3), 128, np.uint8)
        x, y, w, h = box
        pixels[y : y + h, x : x + w] = (255, 0, 0)
        picture, exif = Image.fromarray(pixels), Image.Exif()
        if orientation in STORED:
            picture = picture.transpose(STORED[orientation])
            exif[0x0112] = orientation
        name = f'{i}.png'
        picture.save(folder / name, exif=exif)
        images.append({'id': i, 'file_name': name, 'width': size[0], 'height': size[1]})
        annotations.append(
            {'id': i, 'image_id': i, 'category_id': 1, 'bbox': box, 'iscrowd': 0}
        )
    content = {
        'images': images,
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'red'}],
    }
    path = folder / 'annotations.json'
    path.write_text(json.dumps(content))
    return path


def dataset(path, **kwargs):
    return CocoDataset(
        ann_file=path.name,
        data_root=str(path.parent),
        data_prefix={'img': ''},
        **kwargs,
    )


def reds(record):
    """Share of the pixels of the box that are red, and of the others."""
    pixels = LoadImageFromFile()(dict(record))['img']
    (instance,) = record['instances']
    x1, y1, x2, y2 = map(round, instance['bbox'])
    red = (pixels == (0, 0, 255)).all(-1)
    inside = red[y1:y2, x1:x2]
    return inside.mean(), (red.sum() - inside.sum()) / red.size


@pytest.mark.parametrize('orientation', [5, 6, 7, 8])
def test_boxes_of_the_upright_picture_with_sizes_as_stored(tmp_path, orientation):
    # The second box fits both frames: it follows the first.
    path = write(tmp_path, [orientation] * 2, [LOW, BOTH], [(64, 48)] * 2)
    data = dataset(path)
    for record in map(data.get_data_info, range(2)):
        assert (record['width'], record['height']) == UPRIGHT
        assert reds(record) == (1, 0)
    coco_to_odvg(path, tmp_path / 'od.jsonl')
    line = json.loads((tmp_path / 'od.jsonl').read_text().splitlines()[1])
    assert (line['width'], line['height']) == UPRIGHT


def test_boxes_of_the_stored_picture_with_upright_sizes(tmp_path):
    path = write(tmp_path, [6, 6], [LOW, BOTH], [UPRIGHT] * 2)
    content = json.loads(path.read_text())
    # As drawn on the picture turned by 90 degrees against the clock.
    for annotation, (x, y, w, h) in zip(content['annotations'], [LOW, BOTH]):
        annotation['bbox'] = [y, UPRIGHT[0] - x - w, h, w]
    path.write_text(json.dumps(content))
    data = dataset(path)
    for record in map(data.get_data_info, range(2)):
        assert (record['width'], record['height']) == UPRIGHT[::-1]
        assert reds(record) == (1, 0)


def test_frame_of_the_sizes_where_no_box_speaks_against_it(tmp_path):
    path = write(tmp_path, [6, 1], [BOTH, LOW], [(64, 48), UPRIGHT])
    data = dataset(path)
    assert [data.get_data_info(i)['width'] for i in range(2)] == [64, 48]


def test_exchanged_width_and_height(tmp_path):
    path = write(tmp_path, [1, 1], [LOW, BOTH], [(64, 48)] * 2)
    data = dataset(path)
    assert all(reds(data.get_data_info(i)) == (1, 0) for i in range(2))


@pytest.mark.parametrize(
    'size', [{}, {'width': 0, 'height': 0}, {'width': -1, 'height': 5}, {'width': None}]
)
def test_sizes_that_are_none_are_those_of_the_pictures(tmp_path, size):
    content = coco_folder.content()
    path = coco_folder.write(tmp_path, content)
    for image in content['images'][:2]:
        del image['width'], image['height']
        image.update(size)
    path.write_text(json.dumps(content))
    (tmp_path / '1.png').unlink()
    data = dataset(path)
    assert len(data) == 3  # what is neither annotated nor there is left out
    assert list(data.dropped.counts.values()) == [1]
    record = data.get_data_info(0)
    assert (record['width'], record['height']) == (64, 48)


def test_sizes_as_text_and_with_fractions(tmp_path):
    content = coco_folder.content()
    path = coco_folder.write(tmp_path, content)
    content['images'][0].update(width='64', height=' 48.0')
    content['images'][1].update(width=64.0, height=48.7)
    path.write_text(json.dumps(content))
    data = dataset(path)
    assert not data.dropped
    for i in range(2):
        record = data.get_data_info(i)
        assert (record['width'], record['height']) == (64, 48)


def test_boxes_beyond_their_picture_are_counted(tmp_path):
    content = coco_folder.content()
    content['annotations'][0]['bbox'] = [40, 6, 34, 24]
    content['annotations'][1]['bbox'] = [40, 6, 24.5, 24]  # half a pixel is nothing
    data = dataset(coco_folder.write(tmp_path, content))
    assert list(data.dropped.changes.values()) == [1]
    assert data.get_data_info(0)['instances'][0]['bbox'] == [40, 6, 64, 30]


def test_corners_in_the_place_of_sizes_are_named(tmp_path, monkeypatch):
    warnings: list[str] = []
    monkeypatch.setattr(picture_sizes, 'warn', warnings.append)
    content = coco_folder.content()
    dataset(coco_folder.write(tmp_path / 'a', content))
    assert not warnings
    for annotation in content['annotations']:
        x, y, w, h = annotation['bbox']
        annotation['bbox'] = [x, y, x + w, y + h]
    dataset(coco_folder.write(tmp_path / 'b', content))
    assert len(warnings) == 1


@pytest.mark.parametrize('crowds', [1, 8])
def test_crowds_do_not_train(tmp_path, crowds):
    content = coco_folder.content()
    for annotation in content['annotations'][:crowds]:
        annotation['iscrowd'] = 1
    path = coco_folder.write(tmp_path, content)
    dataset(path, test_mode=True)
    if crowds < 8:
        assert len(dataset(path)) == 4
    else:
        with pytest.raises(DatasetError, match='8 of 8 boxes are crowds'):
            dataset(path)


def test_no_box_left_to_train_on(tmp_path):
    content = coco_folder.content()
    path = coco_folder.write(tmp_path, content | {'annotations': []})
    assert len(dataset(path)) == 4  # pictures of background alone are of use
    for annotation in content['annotations']:
        annotation['bbox'] = []
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match='no box is left'):
        dataset(path)
