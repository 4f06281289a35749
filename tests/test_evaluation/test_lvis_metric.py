"""LVIS's numbers against its own tool, and fixed AP by hand."""

import json

import numpy as np
import pytest
import torch
from known_detections import made_from, records

from glip.datasets import read_coco
from glip.errors import ConfigError, DatasetError
from glip.evaluation import LVISFixedAPMetric, LVISMetric
from glip.evaluation import box_ap as module

ALL = [
    *('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'APr', 'APc', 'APf'),
    *('AR@300', 'ARs@300', 'ARm@300', 'ARl@300'),
]


def evaluate(metric, found):
    """Through the door that a run uses."""
    for entry in found:
        kinds = {'bboxes': torch.tensor, 'scores': torch.tensor}
        instances = {k: make(entry[k]) for k, make in kinds.items()}
        instances['labels'] = torch.tensor(entry['labels'], dtype=torch.long)
        metric.process(None, [{'img_id': entry['img_id'], 'pred_instances': instances}])
    return metric.evaluate(len(found))


def by_the_official_tool(path, coco, found, monkeypatch):
    for name in ('float', 'int', 'bool'):  # numpy 2 took them away
        monkeypatch.setattr(np, name, __builtins__[name], raising=False)
    lvis = pytest.importorskip('lvis')
    truth = lvis.LVIS(str(path))
    results = lvis.LVISResults(truth, records(found, coco), max_dets=300)
    evaluation = lvis.LVISEval(truth, results, 'bbox')
    evaluation.run()
    return evaluation.get_results()


def same_as_the_official_tool(path, monkeypatch, extra=60):
    coco = read_coco(path)
    found = made_from(coco, seed=1, extra=extra)
    expected = by_the_official_tool(path, coco, found, monkeypatch)
    monkeypatch.setattr(module, '_PAIRS', 20_000)
    values = evaluate(LVISMetric(str(path), metric_items=ALL), found)
    for name in ALL:
        value = values[f'lvis/bbox_{name}']
        assert value == pytest.approx(expected[name], abs=1e-12), name
    return values


def content(images=12, classes=9):
    """Federated annotations: some classes checked, some only in part."""
    rng = np.random.default_rng(0)
    made = {'images': [], 'annotations': [], 'categories': []}
    for i in range(classes):
        made['categories'].append(
            {'id': 2 * i + 1, 'name': f'thing_{i}', 'frequency': 'rcf'[i % 3]}
        )
    ids = [c['id'] for c in made['categories']]
    for i in rng.permutation(images).tolist():
        present = rng.choice(ids, 3, replace=False).tolist()
        absent = [c for c in ids if c not in present]
        made['images'].append(
            {
                'id': i + 1,
                'width': 400,
                'height': 400,
                'coco_url': f'http://a/{"val" if i % 2 else "train"}2017/{i}.jpg',
                'neg_category_ids': absent[: int(rng.integers(0, 4))],
                'not_exhaustive_category_ids': present[: int(rng.integers(0, 2))],
            }
        )
        for category in present:
            for _ in range(int(rng.integers(1, 4))):
                x, y, w, h = (int(v) for v in rng.integers(5, 180, 4))
                made['annotations'].append(
                    {
                        'id': len(made['annotations']) + 1,
                        'image_id': i + 1,
                        'category_id': category,
                        'bbox': [x, y, w, h],
                        'area': w * h,
                        'segmentation': [[x, y, x + w, y, x + w, y + h]],
                    }
                )
    return made


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'lvis.json'
    path.write_text(json.dumps(content()))
    return path


@pytest.mark.parametrize(('images', 'classes'), [(12, 9), (80, 200)])
def test_made_up_annotations(path, images, classes, monkeypatch):
    path.write_text(json.dumps(content(images, classes)))
    values = same_as_the_official_tool(path, monkeypatch, extra=20)
    assert 0.1 < values['lvis/bbox_AP'] < 0.9


def test_boxes_without_area_count_as_nothing(path, monkeypatch):
    """Annotated ones are not missed, and detected ones not wrong."""
    data = content()
    for annotation in data['annotations'][::3]:
        annotation['area'] = 0
    path.write_text(json.dumps(data))
    coco = read_coco(path)
    found = made_from(coco, seed=1, extra=10)
    for entry in found:
        entry['bboxes'][::2, 2] = entry['bboxes'][::2, 0]
    expected = by_the_official_tool(path, coco, found, monkeypatch)
    values = evaluate(LVISMetric(str(path), metric_items=ALL), found)
    assert 0 < values['lvis/bbox_AP'] < 0.9
    for name in ALL:
        value = values[f'lvis/bbox_{name}']
        assert value == pytest.approx(expected[name], abs=1e-12), name


@pytest.mark.parametrize(
    'wrong',
    [{'metric': 'segm'}, {'metric': 'proposal'}, {'ann_file': None}],
)
def test_what_it_cannot_measure_is_refused(path, wrong):
    with pytest.raises(ConfigError):
        LVISMetric(**({'ann_file': str(path)} | wrong))


def test_fast_proposals(path):
    found = made_from(read_coco(path), seed=1, extra=0)
    metric = LVISMetric(str(path), metric='proposal_fast', proposal_nums=(1, 300))
    values = evaluate(metric, found)
    assert set(values) == {'lvis/AR@1', 'lvis/AR@300'}
    assert 0 < values['lvis/AR@1'] < values['lvis/AR@300'] < 1


def entries(*rows):
    """(image id, box, score, label) to one entry per picture."""
    found = {}
    for image_id, box, score, label in rows:
        own = found.setdefault(image_id, ([], [], []))
        for values, value in zip(own, (box, score, label)):
            values.append(value)
    return [
        {
            'img_id': i,
            'bboxes': np.array(boxes, float).reshape(-1, 4),
            'scores': np.array(scores),
            'labels': np.array(labels),
        }
        for i, (boxes, scores, labels) in found.items()
    ]


THERE, ELSEWHERE = [10, 10, 50, 50], [200, 200, 260, 260]


def small(tmp_path, **image):
    """Two pictures of one rare class, a box on each."""
    images = [
        {'id': i, 'width': 400, 'height': 400, 'coco_url': f'a/val2017/{i}.jpg'}
        | {'neg_category_ids': [], 'not_exhaustive_category_ids': []}
        | image
        for i in (1, 2)
    ]
    annotations = [
        {
            'id': i,
            'image_id': i,
            'category_id': 1,
            'bbox': [10, 10, 40, 40],
            'area': 1600,
        }
        for i in (1, 2)
    ]
    categories = [
        {'id': 1, 'name': 'yak', 'frequency': 'r'},
        {'id': 2, 'name': 'gnu', 'frequency': 'f'},
    ]
    path = tmp_path / 'small.json'
    path.write_text(
        json.dumps(
            {'images': images, 'annotations': annotations, 'categories': categories}
        )
    )
    return str(path)


def test_fixed_ap_by_hand(tmp_path):
    path = small(tmp_path)
    found = entries(
        (1, THERE, 0.9, 0),
        (1, ELSEWHERE, 0.8, 0),
        (2, THERE, 0.3, 0),
    )
    # Precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1: above recall 1/2 it is 2/3.
    expected = (51 * 1 + 50 * 2 / 3) / 101
    values = evaluate(LVISFixedAPMetric(path), found)
    assert values['lvis_fixed_ap/AP'] == pytest.approx(expected)
    assert values['lvis_fixed_ap/APr'] == pytest.approx(expected)
    assert values['lvis_fixed_ap/APc'] == values['lvis_fixed_ap/APf'] == -1
    # With two of the class over both pictures the second yak is lost.
    values = evaluate(LVISFixedAPMetric(path, topk=2), found)
    assert values['lvis_fixed_ap/AP'] == pytest.approx(51 / 101)


def test_fixed_ap_has_no_limit_per_picture(tmp_path):
    path = small(tmp_path)
    rows = [(1, ELSEWHERE, 0.9, 1)] * 400  # of a class nobody looked for here
    rows += [(1, THERE, 0.5, 0), (2, THERE, 0.5, 0)]
    fixed = evaluate(LVISFixedAPMetric(path), entries(*rows))
    assert fixed['lvis_fixed_ap/AP'] == pytest.approx(1)
    limited = evaluate(LVISMetric(path), entries(*rows))
    assert limited['lvis/bbox_AP'] == pytest.approx(51 / 101)


def test_not_exhaustive_forgives(tmp_path):
    found = entries((1, THERE, 0.5, 0), (1, ELSEWHERE, 0.9, 0), (2, THERE, 0.5, 0))
    strict = evaluate(LVISMetric(small(tmp_path)), found)['lvis/bbox_AP']
    path = small(tmp_path, not_exhaustive_category_ids=[1])
    assert strict < evaluate(LVISMetric(path), found)['lvis/bbox_AP'] == 1


def test_absent_classes_count_where_they_are_known_to_be(tmp_path):
    found = entries((1, THERE, 0.5, 0), (2, THERE, 0.5, 0), (2, ELSEWHERE, 0.9, 1))
    assert evaluate(LVISMetric(small(tmp_path)), found)['lvis/bbox_AP'] == 1
    path = small(tmp_path, neg_category_ids=[2])
    assert evaluate(LVISMetric(path), found)['lvis/bbox_AP'] == 1  # no gnu to find


def test_by_class_and_written_results(path, tmp_path):
    coco = read_coco(path)
    found = made_from(coco)
    prefix = tmp_path / 'out/run'
    metric = LVISMetric(str(path), classwise=True, outfile_prefix=str(prefix))
    values = evaluate(metric, found)
    assert 0 <= values['lvis/thing_0_precision'] <= 1
    written = json.loads((tmp_path / 'out/run.bbox.json').read_text())
    assert len(written) == sum(len(entry['scores']) for entry in found)
    assert written[0].keys() >= {'image_id', 'category_id', 'bbox', 'score', 'name'}
    assert written[0]['category_id'] % 2 == 1


def test_mistakes(path, tmp_path):
    with pytest.raises(ConfigError, match='AP99'):
        LVISMetric(str(path), metric_items=['AP99'])
    with pytest.raises(ConfigError, match='topk=0'):
        LVISFixedAPMetric(str(path), topk=0)
    with pytest.raises(DatasetError, match='not found'):
        LVISMetric(str(tmp_path / 'none.json'))
    plain = content()
    for category in plain['categories']:
        del category['frequency']
    (tmp_path / 'plain.json').write_text(json.dumps(plain))
    found = made_from(read_coco(path))
    with pytest.raises(DatasetError, match='frequency'):
        evaluate(LVISMetric(str(tmp_path / 'plain.json')), found)
    with pytest.raises(DatasetError, match='evaluated twice'):
        evaluate(LVISMetric(str(path)), [*found, found[0]])
