"""Boxes for some pictures, captions for the others, and none for both."""

import json

import caption_sets
import pytest

from glip.datasets.converters.split_captions import split_captions
from glip.errors import DatasetError


@pytest.fixture(scope='module')
def sources(tmp_path_factory):
    folder = caption_sets.write(tmp_path_factory.mktemp('set')) / 'annotations'
    return folder / 'instances_val2017.json', folder / 'captions_val2017.json'


def split(sources, folder, **options):
    results = split_captions(*sources, folder, **{'labelled': 5} | options)
    return [json.loads(open(result.path).read()) for result in results]


def test_parts_share_no_picture_and_leave_none_out(sources, tmp_path):
    boxes, captions, rest = split(sources, tmp_path)
    whole, sentences = (json.loads(file.read_text()) for file in sources)
    chosen = {image['id'] for image in boxes['images']}
    others = {image['id'] for image in rest['images']}
    assert len(chosen) == 5 and not chosen & others
    assert chosen | others == {image['id'] for image in whole['images']}
    assert {image['id'] for image in captions['images']} == chosen
    expected = [box for box in whole['annotations'] if box['image_id'] in chosen]
    assert boxes['annotations'] == expected
    assert boxes['categories'] == whole['categories']
    for part, ids in ((captions, chosen), (rest, others)):
        expected = [s for s in sentences['annotations'] if s['image_id'] in ids]
        assert part['annotations'] == expected


def test_the_seed_says_which(sources, tmp_path):
    first = split(sources, tmp_path / 'a', seed=1)
    assert split(sources, tmp_path / 'b', seed=1) == first
    assert split(sources, tmp_path / 'c', seed=2) != first


@pytest.mark.parametrize('number', [0, 20, 21])
def test_both_parts_need_pictures(sources, tmp_path, number):
    with pytest.raises(DatasetError, match='20'):
        split(sources, tmp_path, labelled=number)
