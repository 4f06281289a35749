"""Pictures are drawn by the original's rule."""

import json
import random

import coco_folder
import pytest

from glip.datasets.coco_file import read_coco
from glip.errors import DatasetError
from glip.teach.few_shot.draws import draw_shots, write_draw

NAMES = ('a', 'b', 'c')


@pytest.fixture
def coco_of(tmp_path):
    """Annotations in which picture i shows the classes named by letters."""

    def make(pictures, names=NAMES, **of_boxes):
        images, annotations = [], []
        for number, letters in enumerate(pictures, start=1):
            images.append(
                {'id': number, 'file_name': f'{number}.png', 'width': 64, 'height': 48}
            )
            for letter in letters:
                annotations.append(
                    {
                        'id': len(annotations) + 1,
                        'image_id': number,
                        'category_id': 5 + names.index(letter),
                        'bbox': [1, 1, 20, 20],
                        'area': 400,
                        'iscrowd': 0,
                        **of_boxes.get(letter, {}),
                    }
                )
        categories = [{'id': 5 + i, 'name': name} for i, name in enumerate(names)]
        path = tmp_path / 'annotations.json'
        content = dict(images=images, annotations=annotations, categories=categories)
        path.write_text(json.dumps(content))
        return read_coco(path)

    return make


def ids(draw):
    return [image['id'] for image in draw.images]


def test_a_picture_is_taken_if_one_of_its_classes_is_still_wanted(coco_of):
    # In the order of the ids: 1 has a; 2 and 3 have nothing that is still wanted
    # (3 is empty); 4 brings b, 5 brings c.
    draw = draw_shots(coco_of(['aa', 'a', '', 'ab', 'bc', 'abc']), 1, seed=0)
    assert ids(draw) == [1, 4, 5]
    assert draw.pictures == {'a': 2, 'b': 2, 'c': 1}
    assert draw.short == {}


def test_every_class_is_in_as_many_pictures_where_there_are_that_many(coco_of):
    pictures = [random.Random(i).choice(['a', 'b', 'ab', 'ac', '']) for i in range(60)]
    coco = coco_of(pictures)
    shown = {name: sum(name in p for p in pictures) for name in NAMES}
    assert shown['c'] < 15 < shown['b']
    for seed in (3, 30):
        draw = draw_shots(coco, 15, seed)
        assert draw.pictures['a'] >= 15 and draw.pictures['b'] >= 15
        assert draw.pictures['c'] == shown['c']
        assert draw.short == {'c': shown['c']}
        assert len(set(ids(draw))) == len(draw.images)


def test_the_order_is_that_of_the_originals_shuffle(coco_of):
    coco = coco_of(['a', '', 'a', 'a', 'a'], names=('a',))
    order = [1, 3, 4, 5]
    random.Random(30).shuffle(order)
    assert ids(draw_shots(coco, 2, 30)) == order[:2]
    assert ids(draw_shots(coco, 2, 30)) == ids(draw_shots(coco, 2, 30))
    assert {tuple(ids(draw_shots(coco, 2, s))) for s in range(9)} != {tuple(order[:2])}


def test_what_training_cannot_learn_from_is_not_drawn(coco_of):
    thin = {'bbox': [1, 1, 1, 20]}
    coco = coco_of(['a', 'b', 'c'], a={'iscrowd': 1}, b=thin)
    draw = draw_shots(coco, 1, seed=0)
    assert ids(draw) == [3] and draw.short == {'a': 0, 'b': 0}
    with pytest.raises(DatasetError):
        draw_shots(coco, 1, seed=0, min_size=49)
    with pytest.raises(DatasetError):
        draw_shots(coco_of(['', '']), 1, seed=0)


def test_a_draw_is_an_annotation_file_and_a_list_of_names(coco_of, tmp_path):
    coco = coco_of(['a', 'b', 'ab'])
    draw = draw_shots(coco, 2, seed=3)
    write_draw(tmp_path / 'drawn.json', coco, draw.images[:2])
    names = (tmp_path / 'drawn.txt').read_text().split()
    assert names == [image['file_name'] for image in draw.images[:2]]
    drawn = read_coco(tmp_path / 'drawn.json')
    assert drawn.names == NAMES and drawn.category_ids == (5, 6, 7)
    assert [image['file_name'] for image in drawn.images] == names
    for image in drawn.images:
        before = [(b['category_id'], b['bbox']) for b in coco.boxes[image['id']]]
        after = [(b['category_id'], b['bbox']) for b in drawn.boxes[image['id']]]
        assert after == before


def test_categories_of_one_name_are_one_class(tmp_path):
    content = coco_folder.content(num_images=3)
    content['categories'].append({'id': 9, 'name': 'red'})
    content['annotations'][0]['category_id'] = 9
    path = tmp_path / 'annotations.json'
    path.write_text(json.dumps(content))
    coco = read_coco(path)
    write_draw(tmp_path / 'drawn.json', coco, draw_shots(coco, 3, seed=1).images)
    drawn = read_coco(tmp_path / 'drawn.json')
    assert drawn.names == ('red', 'green', 'blue')
    assert sum(map(len, drawn.boxes.values())) == 6
