"""Annotation files: what is read, and what is said about wrong ones."""

import json

import coco_folder
import numpy as np
import pytest
import set_folders
from pycocotools import mask as masks

from glip.datasets import read_coco
from glip.datasets.sample import Dropped
from glip.errors import DatasetError


def write(tmp_path, **changes):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(coco_folder.content() | changes))
    return path


def test_reads_names_ids_and_boxes(tmp_path):
    coco = read_coco(write(tmp_path))
    assert coco.names == ('red', 'green', 'blue')
    assert coco.category_ids == (1, 2, 3)
    assert dict(coco.labels) == {1: 0, 2: 1, 3: 2}
    assert [len(coco.boxes[i]) for i in (1, 2, 3, 4)] == [2, 2, 2, 2]
    assert coco.boxes[1][0]['bbox'] == [4, 6, 20, 24]


def test_classes_asked_for_keep_their_order(tmp_path):
    coco = read_coco(write(tmp_path), ['blue', 'red'])
    assert coco.names == ('blue', 'red')
    assert coco.category_ids == (3, 1)
    assert dict(coco.labels) == {3: 0, 1: 1}
    assert {b['category_id'] for boxes in coco.boxes.values() for b in boxes} == {1, 3}


def test_ids_may_start_at_0_and_come_in_any_order(tmp_path):
    categories = [{'id': 7, 'name': 'b'}, {'id': 0, 'name': 'a'}]
    annotations = [{'id': 0, 'image_id': 1, 'category_id': 0, 'bbox': [0, 0, 5, 5]}]
    coco = read_coco(write(tmp_path, categories=categories, annotations=annotations))
    assert coco.names == ('b', 'a') and dict(coco.labels) == {7: 0, 0: 1}
    (box,) = coco.boxes[1]
    assert box['area'] == 25 and box['iscrowd'] == 0


def test_equal_names_are_one_class(tmp_path):
    categories = [{'id': i, 'name': n} for i, n in ((1, 'cat'), (2, 'dog'), (3, 'cat'))]
    coco = read_coco(write(tmp_path, categories=categories))
    assert coco.names == ('cat', 'dog')
    assert dict(coco.labels) == {1: 0, 2: 1, 3: 0}


def test_empty_super_category_is_no_class(tmp_path):
    categories = [
        {'id': 0, 'name': 'things', 'supercategory': 'none'},
        {'id': 1, 'name': 'red', 'supercategory': 'things'},
        {'id': 2, 'name': 'green', 'supercategory': 'things'},
        {'id': 3, 'name': 'blue', 'supercategory': 'things'},
        {'id': 4, 'name': 'never seen', 'supercategory': 'things'},
    ]
    path = write(tmp_path, categories=categories)
    assert read_coco(path).names == ('red', 'green', 'blue', 'never seen')
    assert read_coco(path, ['things', 'red']).names == ('things', 'red')


def test_super_category_that_is_annotated_stays(tmp_path):
    categories = [
        {'id': 1, 'name': 'animal', 'supercategory': 'none'},
        {'id': 2, 'name': 'cat', 'supercategory': 'animal'},
        {'id': 3, 'name': 'dog', 'supercategory': 'dog'},
    ]
    path = write(tmp_path, categories=categories)
    assert read_coco(path).names == ('animal', 'cat', 'dog')


@pytest.mark.parametrize(
    'box',
    [None, [], [1, 2, 3], [1, 2, 0, 5], [1, 2, 5, -1], [1, 2, float('nan'), 4], 'abcd'],
)
def test_annotations_without_a_real_box_are_left_out(tmp_path, box):
    annotations = coco_folder.content()['annotations']
    annotations[0]['bbox'] = box
    coco = read_coco(write(tmp_path, annotations=annotations))
    assert [b['id'] for b in coco.boxes[1]] == [2]


def test_annotations_of_pictures_not_listed_are_left_out(tmp_path):
    images = coco_folder.content()['images'][:2]
    assert set(read_coco(write(tmp_path, images=images)).boxes) == {1, 2}


ANNOTATION = {'id': 41, 'image_id': 1, 'category_id': 9, 'bbox': [0, 0, 5, 5]}
IMAGE = {'id': 1, 'file_name': 'x.png', 'width': 9, 'height': 9}


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'annotations': [ANNOTATION]}, 'annotation id 41 has category_id 9'),
        ({'annotations': [{'id': 8, 'image_id': 1}]}, 'annotation id 8 has'),
        ({'annotations': None}, 'no list "annotations"'),
        ({'images': {}}, 'no list "images"'),
        ({'categories': 'x'}, 'no list "categories"'),
        ({'categories': []}, 'lists no categories'),
        ({'categories': [{'id': 1}]}, 'needs an id and a name'),
        (
            {'categories': [{'id': 1, 'name': 'a'}, {'id': 1, 'name': 'b'}]},
            "category id 1 is used for 'a' and 'b'",
        ),
        ({'images': [IMAGE, IMAGE]}, 'image ids used more than once: [1]'),
        ({'images': [{'id': 5}]}, 'image 5 has no file_name'),
        ({'categories': [{'id': 1, 'name': ''}]}, 'an id and a name'),
    ],
)
def test_contradictions_are_named(tmp_path, changes, said):
    with pytest.raises(DatasetError) as error:
        read_coco(write(tmp_path, **changes))
    assert said in str(error.value) and '\n' not in str(error.value)


def test_classes_that_do_not_match_list_both_sides(tmp_path):
    with pytest.raises(DatasetError) as error:
        read_coco(write(tmp_path), ['Red', 'green'])
    for part in ('[Red]', '[red, green, blue]', "did you mean 'red'?", '[Red, green]'):
        assert part in str(error.value)


@pytest.mark.parametrize('classes', [[], ['red', 'red']])
def test_classes_must_be_there_once(tmp_path, classes):
    with pytest.raises(DatasetError, match='metainfo.classes'):
        read_coco(write(tmp_path), classes)


def test_missing_broken_and_foreign_files(tmp_path):
    with pytest.raises(DatasetError, match='not found: .*nothing.json.*data_root'):
        read_coco(tmp_path / 'nothing.json')
    with pytest.raises(DatasetError, match='cannot be read'):
        read_coco(tmp_path)
    broken = tmp_path / 'broken.json'
    broken.write_text('{"images": [')
    with pytest.raises(DatasetError, match='not valid JSON'):
        read_coco(broken)
    broken.write_bytes(b'\xff\xd8\xff\xe0')
    with pytest.raises(DatasetError, match='not valid JSON'):
        read_coco(broken)
    broken.write_text('[1, 2]')
    with pytest.raises(DatasetError, match='holds a list'):
        read_coco(broken)
    broken.write_text('{"images": [], "categories": [], "annotations": [{}, 5]}')
    with pytest.raises(DatasetError, match='entry 1 of "annotations" is no mapping'):
        read_coco(broken)


def test_test_sets_have_no_annotations(tmp_path):
    data = coco_folder.content()
    del data['annotations']
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(data))
    assert read_coco(path, need_annotations=False).boxes[1] == ()


def test_names_of_any_layout(tmp_path):
    folder = set_folders.write(tmp_path)
    for name, path in (
        ('coco', 'annotations/instances_val2017.json'),
        ('ours', 'valid/annotations.json'),
        ('roboflow', 'valid/_annotations.coco.json'),
    ):
        coco = read_coco(folder / name / path)
        # What all classes of Roboflow belong to is none itself.
        assert coco.names == set_folders.NAMES[name]
        assert all(len(coco.boxes[image['id']]) == 2 for image in coco.images)


@pytest.mark.parametrize(
    'odd', [[1], {'a': 1}, None, float('nan'), 10**400, 'x', True, -1]
)
@pytest.mark.parametrize(
    'key', ['id', 'file_name', 'width', 'image_id', 'category_id', 'bbox', 'iscrowd']
)
def test_values_of_odd_types_are_never_a_traceback(tmp_path, key, odd):
    image, box = dict(IMAGE), {'id': 1, 'image_id': 1, 'category_id': 1}
    box['bbox'] = [1, 1, 5, odd if key == 'bbox' else 5]
    (image if key in image else box)[key] = odd
    path = write(tmp_path, images=[image], annotations=[box])
    try:
        read_coco(path)
    except DatasetError as error:
        assert '\n' not in str(error)


def test_categories_may_be_called_otherwise(tmp_path):
    categories = [
        {'id': 0, 'name': 'things', 'supercategory': 'none'},
        {'id': 3, 'name': 'blue', 'supercategory': 'things'},
        {'id': 1, 'name': 'red', 'supercategory': 'things'},
        {'id': 2, 'name': 'green', 'supercategory': 'things'},
    ]
    path = write(tmp_path, categories=categories)
    names = ['rouge', 'vert', 'bleu']
    coco = read_coco(path, category_names=names)
    # In the order of their ids; the super-category stays none.
    assert coco.names == ('bleu', 'rouge', 'vert')
    assert dict(coco.labels) == {3: 0, 1: 1, 2: 2}
    coco = read_coco(path, names, category_names=names)
    assert dict(coco.labels) == {1: 0, 2: 1, 3: 2}
    # A file that has these names already keeps them with their ids.
    known = ['green', 'blue', 'red']
    coco = read_coco(path, known, category_names=known)
    assert dict(coco.labels) == {2: 0, 3: 1, 1: 2}
    with pytest.raises(DatasetError, match='has 3 categories') as error:
        read_coco(path, category_names=['rouge', 'vert'])
    assert '[rouge, vert]' in str(error.value)


def test_what_was_not_asked_for_is_counted(tmp_path):
    path = write(tmp_path)
    assert read_coco(path, ['red']).left_out == {'green': 3, 'blue': 2}
    assert read_coco(path).left_out == {}


@pytest.mark.parametrize('box', [None, [], [0, 0, 0, 0]])
@pytest.mark.parametrize(
    'outline',
    [[[4, 6, 24, 6, 10, 30]], [4, 6, 24, 6, 10, 30], [[4, 6, 9, 9], [24, 30]]],
)
def test_box_of_an_outline(tmp_path, box, outline):
    annotations = coco_folder.content()['annotations']
    del annotations[0]['area']
    annotations[0] |= {'bbox': box, 'segmentation': outline}
    coco = read_coco(write(tmp_path, annotations=annotations))
    assert coco.boxes[1][0]['bbox'] == [4, 6, 20, 24]
    assert coco.boxes[1][0]['area'] == 480


@pytest.mark.parametrize('packed', [False, True])
def test_box_of_a_mask(tmp_path, packed):
    pixels = np.zeros((40, 50), np.uint8, order='F')
    pixels[6:30, 4:24] = 1
    mask = masks.encode(pixels)
    mask['counts'] = mask['counts'].decode()
    if not packed:  # columns from above, beginning with what is no part of it
        runs = [4 * 40 + 6, *([24, 16] * 20)]
        mask = {'size': [40, 50], 'counts': [*runs[:-1], 26 * 40 + 10]}
    annotations = coco_folder.content()['annotations']
    annotations[0] |= {'bbox': None, 'segmentation': mask}
    coco = read_coco(write(tmp_path, annotations=annotations))
    assert coco.boxes[1][0]['bbox'] == [4, 6, 20, 24]


@pytest.mark.parametrize(
    ('value', 'crowd'),
    [(1, 1), (True, 1), (2, 1), ('1', 1), ('true', 1), ('1.0', 1)]
    + [(0, 0), (None, 0), ('0', 0), ('false', 0), ('', 0), ([], 0)],
)
def test_crowds_as_tools_write_them(tmp_path, value, crowd):
    annotations = coco_folder.content()['annotations']
    annotations[0]['iscrowd'] = value
    coco = read_coco(write(tmp_path, annotations=annotations))
    assert coco.boxes[1][0]['iscrowd'] == crowd


@pytest.mark.parametrize(
    'outline',
    [[], [[]], [[1, 2, 3]], {'counts': 'x'}, 'x', [[1]]]
    + [
        {'size': size, 'counts': counts}
        for size, counts in [
            ([40, 50], 'PPPP'),  # ends within a number
            ([40, 50], 'caf\xe9'),
            ([40, 50], ''),
            ([40, 50], []),
            ([40, 50], [2000]),
            ([40, 50], [-1, 5]),
            ([40, 50], [10**12]),
            ([0, 50], [5, 5]),
            ([40], [5, 5]),
            ([10**9, 10**9], [5, 5]),
        ]
    ],
)
def test_outlines_without_a_box(tmp_path, outline):
    annotations = coco_folder.content()['annotations']
    annotations[0] |= {'bbox': None, 'segmentation': outline}
    coco = read_coco(write(tmp_path, annotations=annotations))
    assert [b['id'] for b in coco.boxes[1]] == [2]


@pytest.mark.parametrize('name', ['', ' ', None, '--'])
def test_categories_without_a_name(tmp_path, name):
    categories = coco_folder.content()['categories']
    unused = [*categories, {'id': 9, 'name': name}]
    assert read_coco(write(tmp_path, categories=unused)).names == (
        'red',
        'green',
        'blue',
    )
    categories[0]['name'] = name
    path, dropped = write(tmp_path, categories=categories), Dropped('x')
    coco = read_coco(path, dropped=dropped)
    assert coco.names == ('green', 'blue') and coco.left_out == {}
    assert list(dropped.counts.values()) == [3]
    assert read_coco(path, category_names=['a', 'b', 'c']).names == ('a', 'b', 'c')


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16', 'utf-16-be', 'utf-32'])
def test_encodings_of_unicode(tmp_path, encoding):
    content = coco_folder.content()
    content['categories'][0]['name'] = '\u732b'
    path = tmp_path / 'a.json'
    path.write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
    assert read_coco(path).names == ('\u732b', 'green', 'blue')


def test_other_encodings_are_named(tmp_path):
    path = tmp_path / 'a.json'
    path.write_bytes(
        '{"categories": [{"id": 1, "name": "\u6d63\u718a"}]}'.encode('gbk')
    )
    with pytest.raises(DatasetError, match='GBK'):
        read_coco(path)


def test_of_classes_asked_for_unlisted_categories_are_left_out(tmp_path):
    """Files of which a part of the categories was cut away."""
    data = coco_folder.content()
    data['categories'] = data['categories'][:2]
    path = coco_folder.write(tmp_path, data)
    with pytest.raises(DatasetError, match='category_id 3'):
        read_coco(path)
    dropped = Dropped(str(path))
    coco = read_coco(path, ['green'], dropped=dropped)
    assert sum(dropped.counts.values()) == 2  # the blue ones
    assert coco.left_out == {'red': 3}
    assert sum(map(len, coco.boxes.values())) == 3
