"""What all data sets share: packing, subsets, folders, pictures that are broken."""

import json
import pickle

import coco_folder
import grounding_files as files
import pytest
from torch.utils.data import DataLoader

from glip.errors import DatasetError, ImageError
from glip.registry import DATASETS

PIPELINE = [
    {'type': 'LoadImageFromFile'},
    {'type': 'LoadAnnotations', 'with_bbox': True},
    {'type': 'PackDetInputs'},
]


def captions(folder, count=4, **kwargs):
    records = []
    for i in range(count):
        files.picture(folder / f'{i}.png')
        records.append(files.grounding() | {'filename': f'{i}.png'})
    path = files.write_lines(folder, records)
    return build(folder, path.name, 'ODVGDataset', **kwargs)


def build(folder, ann_file, kind='CocoDataset', **kwargs):
    cfg = {
        'type': kind,
        'data_root': str(folder),
        'ann_file': ann_file,
        'data_prefix': {'img': ''},
        'pipeline': PIPELINE,
    }
    return DATASETS.build(cfg | kwargs)


def record_of(data, idx):
    record = data.get_data_info(idx)
    record.pop('captions', None)  # a view of the data set itself
    return record


def test_packed_and_plain_samples_are_the_same(tmp_path):
    packed, plain = captions(tmp_path), captions(tmp_path, serialize_data=False)
    coco = coco_folder.write(tmp_path / 'coco')
    pairs = [(packed, plain)]
    pairs.append(
        tuple(build(coco.parent, coco.name, serialize_data=s) for s in (True, False))
    )
    for one, other in pairs:
        assert len(one) == len(other) == 4
        for i in (0, 3, -1):
            assert one.get_sample(i) == other.get_sample(i)
            assert record_of(one, i) == record_of(other, i)
            assert one.get_data_info(i)['sample_idx'] == i % 4
        with pytest.raises(IndexError):
            one.get_data_info(4)
        again = pickle.loads(pickle.dumps(one))
        assert record_of(again, 2) == record_of(one, 2)


@pytest.mark.parametrize('serialize', [True, False])
def test_subsets(tmp_path, serialize):
    def names(**kwargs):
        data = captions(tmp_path, serialize_data=serialize, **kwargs)
        return [data.get_sample(i).file_name for i in range(len(data))]

    assert names(indices=2) == ['0.png', '1.png']
    assert names(indices=-1) == ['3.png']
    assert names(indices=[3, 0]) == ['3.png', '0.png']
    data = captions(tmp_path, serialize_data=serialize).get_subset([2])
    assert [data.get_sample(0).file_name, len(data)] == ['2.png', 1]


def test_a_record_may_be_changed(tmp_path):
    data = captions(tmp_path, serialize_data=False)
    record = data.get_data_info(0)
    record['instances'][0]['bbox'][0] = 99
    record['instances'].clear()
    assert data.get_data_info(0)['instances'][0]['bbox'] == [1, 2, 11, 12]


def test_folders_in_file_names_that_are_not_on_disk(tmp_path):
    content = coco_folder.content()
    path = coco_folder.write(tmp_path / 'train', content)
    (tmp_path / 'train/patch3').mkdir()
    for image in content['images']:
        (tmp_path / 'train' / image['file_name']).rename(
            tmp_path / 'train/patch3' / image['file_name']
        )
    for prefix in ('', 'patch3/', 'images/v2/patch3/'):
        changed = coco_folder.content()
        for image in changed['images']:
            image['file_name'] = prefix + image['file_name']
        path.write_text(json.dumps(changed))
        folder = 'train/patch3/' if not prefix else 'train/'
        data = build(tmp_path, 'train/annotations.json', data_prefix={'img': folder})
        expected = tmp_path / 'train/patch3/0.png'
        assert data.get_data_info(0)['img_path'] == str(expected)
        assert data[0]['inputs'].shape == (3, 48, 64)


def test_broken_pictures_are_counted_over_loading_processes(tmp_path):
    data = captions(tmp_path, 12, max_broken_images=3)
    for i in (1, 6, 8):
        (tmp_path / f'{i}.png').write_bytes(b'')
    loader = DataLoader(data, batch_size=1, num_workers=2, collate_fn=list)
    assert len(list(loader)) == 12
    broken = data.broken.messages()
    assert len(broken) == 3 and all('empty' in line for line in broken)
    list(loader)  # a second epoch finds no others
    assert len(data.broken.messages()) == 3
    (tmp_path / '4.png').write_text('no picture')
    with pytest.raises(DatasetError, match=r'4 of the 12 pictures of .*4\.png'):
        list(loader)


def test_lists_of_broken_pictures_are_taken_away(tmp_path, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'temporary'))
    (tmp_path / 'temporary').mkdir()
    data = captions(tmp_path)
    assert not list((tmp_path / 'temporary').iterdir())
    (tmp_path / '1.png').unlink()
    assert data[1] is not None
    assert len(list((tmp_path / 'temporary').iterdir())) == 1
    del data
    assert not list((tmp_path / 'temporary').iterdir())


def test_broken_picture_stops_an_evaluation(tmp_path):
    data = captions(tmp_path, test_mode=True)
    (tmp_path / '1.png').unlink()
    assert data[0]['data_samples'].img_id == 0
    with pytest.raises(ImageError, match=r'1\.png: no such file'):
        data[1]


def test_filters_are_counted_and_apply_in_training_only(tmp_path):
    records = [files.grounding(), files.grounding(regions=[])]
    small = files.grounding() | {'width': 20}
    path = files.write_lines(tmp_path, [*records, small])
    filters = {'filter_cfg': {'filter_empty_gt': True, 'min_size': 32}}
    data = build(tmp_path, path.name, 'ODVGDataset', **filters)
    assert len(data) == 1
    assert data.dropped.counts['pictures without boxes'] == 1
    assert data.dropped.counts['pictures below 32 pixels'] == 1
    data = build(tmp_path, path.name, 'ODVGDataset', test_mode=True, **filters)
    assert len(data) == 3


def test_nothing_left_says_why(tmp_path):
    records = [files.grounding(regions=[]), files.grounding(caption=' ', regions=[])]
    path = files.write_lines(tmp_path, records)
    with pytest.raises(DatasetError) as error:
        build(
            tmp_path,
            path.name,
            'ODVGDataset',
            filter_cfg={'filter_empty_gt': True},
        )
    said = str(error.value)
    assert 'none of its 2 pictures can be used' in said and '\n' not in said
    assert '1 pictures without boxes' in said and '1 captions without words' in said
