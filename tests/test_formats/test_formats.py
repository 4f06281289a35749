"""Every format is read back by another tool, or by its definition."""

import csv
import io
import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from glip.apis import Detections
from glip.datasets.converters.from_voc import voc_to_odvg
from glip.errors import GLIPError
from glip.formats import coco, csv_table, cvat, label_studio, voc, yolo
from glip.formats.boxes import file_name
from glip.formats.writers import FORMATS, ResultWriter

BOXES = [[10, 20, 50, 60], [0, 0, 100, 80.5]]


@pytest.fixture
def detections(tmp_path):
    path = tmp_path / 'a picture.png'
    Image.new('RGB', (100, 81), (9, 9, 9)).save(path)
    return Detections(
        boxes=BOXES,
        scores=[0.9, 0.25],
        labels=[1, 0],
        names=['straw hat', '=cmd|dog'],
        classes=['=cmd|dog', 'straw hat', 'never there'],
        size=(100, 81),
        image=str(path),
        source=str(path),
    )


def test_coco_is_read_by_pycocotools(detections, tmp_path):
    path = tmp_path / 'coco.json'
    path.write_text(json.dumps(detections.to_coco()))
    data = COCO(str(path))
    assert [c['name'] for c in data.loadCats(data.getCatIds())] == detections.classes
    (image,) = data.loadImgs(data.getImgIds())
    assert (image['file_name'], image['width'], image['height']) == (
        'a picture.png',
        100,
        81,
    )
    first, second = data.loadAnns(data.getAnnIds(imgIds=[image['id']]))
    assert first['bbox'] == [10, 20, 40, 40] and first['area'] == 1600
    assert first['category_id'] == 2 and first['score'] == 0.9
    assert second['bbox'] == [0, 0, 100, 80.5] and second['category_id'] == 1


def test_categories_stay_over_pictures_without_boxes(detections):
    both = coco.to_coco([detections[:0], detections])
    assert [image['id'] for image in both['images']] == [1, 2]
    assert {a['image_id'] for a in both['annotations']} == {2}
    assert len(both['categories']) == 3


def test_csv_is_a_table_without_formulas(detections):
    first, second = csv.DictReader(io.StringIO(detections.to_csv()))
    assert first['name'] == 'straw hat' and float(first['score']) == 0.9
    assert [float(first[side]) for side in ('x1', 'y1', 'x2', 'y2')] == BOXES[0]
    assert second['name'] == "'=cmd|dog"
    assert list(first) == list(csv_table.COLUMNS)


def test_yolo_by_hand(detections):
    lines = [line.split() for line in detections.to_yolo(scores=True).splitlines()]
    assert [line[0] for line in lines] == ['1', '0']
    x, y, width, height, score = map(float, lines[0][1:])
    expected = (0.3, 40 / 81, 0.4, 40 / 81, 0.9)
    assert np.allclose((x, y, width, height, score), expected, atol=1e-6)
    assert all(len(line.split()) == 5 for line in detections.to_yolo().splitlines())
    text = yolo.data_yaml(['a: b', "it's", 'été'], {'train': 'images/train'})
    yaml = pytest.importorskip('yaml')
    assert yaml.safe_load(text) == {
        'path': '.',
        'train': 'images/train',
        'names': {0: 'a: b', 1: "it's", 2: 'été'},
    }
    with pytest.raises(GLIPError, match='line break'):
        yolo.data_yaml(['a\nb'], {})


def test_voc_is_read_by_our_reader(detections, tmp_path):
    folder = tmp_path / 'xml'
    folder.mkdir()
    (folder / 'a picture.xml').write_text(detections.to_voc(), encoding='utf-8')
    voc_to_odvg(folder, tmp_path / 'voc.jsonl', extension='.png')
    record = json.loads((tmp_path / 'voc.jsonl').read_text())
    boxes = [entry['bbox'] for entry in record['detection']['instances']]
    # Whole pixels: a half is rounded to the even neighbour.
    assert boxes == [[10, 20, 50, 60], [0, 0, 100, 80]]


def test_xml_without_characters_that_it_cannot_hold(detections):
    odd = Detections(BOXES[:1], [0.5], [0], ['a\x00b\ud800<&>'], (100, 81))
    for text in (voc.to_voc(odd), cvat.to_cvat([odd])):
        root = ElementTree.fromstring(text.encode())
        assert any(
            'ab<&>' in (node.text or '') + node.get('label', '') for node in root.iter()
        )


def test_cvat_by_its_definition(detections):
    root = ElementTree.fromstring(cvat.to_cvat([detections]).encode())
    assert root.findtext('version') == '1.1'
    labels = [node.findtext('name') for node in root.iter('label') if len(node)]
    assert labels == detections.classes
    (image,) = root.iter('image')
    assert image.get('name') == 'a picture.png' and image.get('width') == '100'
    box = image.find('box')
    assert [float(box.get(side)) for side in ('xtl', 'ytl', 'xbr', 'ybr')] == BOXES[0]
    assert box.get('label') == 'straw hat'


def test_label_studio_in_shares_of_the_picture(detections):
    (task,) = detections.to_label_studio()
    assert task['data']['image'].endswith('a picture.png')
    (prediction,) = task['predictions']
    assert prediction['score'] == 0.9
    value = prediction['result'][0]['value']
    assert value['rectanglelabels'] == ['straw hat']
    assert np.allclose(
        [value[key] for key in ('x', 'y', 'width', 'height')],
        [10, 100 * 20 / 81, 40, 100 * 40 / 81],
    )
    config = ElementTree.fromstring(label_studio.label_config(detections.classes))
    names = [node.get('value') for node in config.iter('Label')]
    assert names == detections.classes
    ids = [result['id'] for result in prediction['result']]
    assert len(set(ids)) == 2


def test_label_studio_sdk_takes_the_tasks(detections):
    pytest.importorskip('label_studio_sdk')
    from label_studio_sdk._extensions.label_studio_tools.core.label_config import (
        parse_config,
    )
    from label_studio_sdk.label_interface import LabelInterface

    config = label_studio.label_config(detections.classes)
    assert parse_config(config)['label']['labels'] == detections.classes
    interface = LabelInterface(config)
    (task,) = detections.to_label_studio()
    (prediction,) = task['predictions']
    assert interface.validate_prediction(prediction)
    prediction['result'][0]['value']['rectanglelabels'] = ['unknown']
    assert not interface.validate_prediction(prediction)


def test_supervision_and_pandas(detections):
    pytest.importorskip('supervision')
    converted = detections.to_supervision()
    assert np.array_equal(converted.xyxy, detections.boxes)
    assert list(converted.data['class_name']) == detections.names
    frame = pytest.importorskip('pandas') and detections.to_pandas()
    assert list(frame['name']) == detections.names and frame['x2'].iloc[0] == 50


def test_supervision_reads_labels_and_xml(detections, tmp_path):
    supervision = pytest.importorskip('supervision')
    images = tmp_path / 'images'
    images.mkdir()
    Image.open(detections.image).save(images / 'a picture.png')
    writer = ResultWriter(tmp_path, ['yolo', 'voc'], detections.classes)
    writer.write(detections, 'a picture')
    writer.close()
    yolo_set = supervision.DetectionDataset.from_yolo(
        str(images), str(tmp_path / 'labels'), str(tmp_path / 'data.yaml')
    )
    (_, _, boxes) = next(iter(yolo_set))
    assert yolo_set.classes == detections.classes
    assert np.allclose(boxes.xyxy, detections.boxes, atol=0.01)
    voc_set = supervision.DetectionDataset.from_pascal_voc(
        str(images), str(tmp_path / 'voc')
    )
    (_, _, boxes) = next(iter(voc_set))
    assert len(boxes) == 2


def test_crops_are_what_is_in_the_boxes(detections):
    pixels = np.zeros((81, 100, 3), np.uint8)
    pixels[20:60, 10:50] = 200
    first, second = detections.crops(pixels)
    assert first.size == (40, 40) and np.asarray(first).min() == 200
    assert second.size == (100, 81)


def test_every_format_writes_its_files(detections, tmp_path):
    writer = ResultWriter(tmp_path / 'out', FORMATS, detections.classes)
    writer.write(detections, 'one')
    writer.close()
    files = {
        path.relative_to(tmp_path / 'out').as_posix()
        for path in (tmp_path / 'out').rglob('*')
        if path.is_file()
    }
    assert files == {
        *('preds/one.json', 'labels/one.txt', 'voc/one.xml', 'data.yaml'),
        *('coco.json', 'boxes.csv', 'cvat.xml'),
        *('label_studio.json', 'label_studio.xml'),
        *('crops/straw_hat/one_000.jpg', 'crops/_cmd_dog/one_001.jpg'),
    }
    record = json.loads((tmp_path / 'out/preds/one.json').read_text())
    again = Detections.from_dict(record)
    assert np.array_equal(again.boxes, detections.boxes)
    assert again.names == detections.names and again.size == detections.size


def test_unknown_format_and_folder_that_is_a_file(tmp_path):
    with pytest.raises(GLIPError, match='xls'):
        ResultWriter(tmp_path, ['xls'])
    (tmp_path / 'file').touch()
    with pytest.raises(GLIPError, match='file'):
        ResultWriter(tmp_path / 'file', ['json'])


def test_names_of_files(detections):
    def named(image, frame=None):
        picture = Detections([], [], [], [], (1, 1), image=image, frame=frame)
        return file_name(picture, 7)

    assert named('d/clip.mp4', 3) == 'clip_000003.jpg'
    assert named('https://x.org/p/c%20d.jpeg?w=1') == 'c d.jpeg'
    assert named(None) == 'picture_000007.jpg'
