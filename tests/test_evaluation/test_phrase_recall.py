"""Recall@k of phrases on cases counted by hand, and against mmdet's metric."""

import json
import pickle

import entities_folder
import numpy as np
import pytest
import torch

from glip.errors import ConfigError, DatasetError
from glip.evaluation import Flickr30kMetric
from glip.registry import METRICS

FAR = [200.0, 200.0, 210.0, 210.0]


def sample(found, truth, **meta):
    """Data sample from (box, score, phrase) and (box, phrase) rows."""
    boxes, scores, labels = zip(*found) if found else ((), (), ())
    true_boxes, phrases = zip(*truth) if truth else ((), ())
    return dict(
        pred_instances=dict(
            bboxes=torch.tensor(boxes).reshape(-1, 4),
            scores=torch.tensor(scores),
            labels=torch.tensor(labels, dtype=torch.long),
        ),
        gt_instances=dict(
            bboxes=torch.tensor(true_boxes).reshape(-1, 4),
            labels=torch.tensor(phrases, dtype=torch.long),
        ),
        **meta,
    )


def evaluate(samples, **kwargs):
    metric = Flickr30kMetric(**kwargs)
    metric.process({}, samples)
    return metric.evaluate(size=len(samples))


BOX = [0.0, 0.0, 10.0, 10.0]
OTHER = [50.0, 50.0, 60.0, 60.0]


def test_rank_of_the_first_hit_decides():
    samples = [
        sample([(BOX, 0.9, 0)], [(BOX, 0)]),  # found first
        sample([(FAR, 0.2, 0), (FAR, 0.8, 0), (BOX, 0.5, 0)], [(BOX, 0)]),  # second
        sample([(BOX, 0.9, 1)], [(BOX, 0)]),  # the box is of another phrase
        sample([], [(BOX, 0)]),  # nothing was found
    ]
    result = evaluate(samples, topk=(1, 2, -1))
    assert result == {
        'flickr30k/R@1': 25.0,
        'flickr30k/R@2': 50.0,
        'flickr30k/upper_bound': 50.0,
        'flickr30k/phrases': 4,
    }


def test_every_phrase_of_a_caption_counts():
    result = evaluate(
        [sample([(BOX, 0.9, 0), (FAR, 0.8, 2)], [(BOX, 0), (OTHER, 2), (OTHER, 0)])],
        topk=(1,),
    )
    assert result['flickr30k/R@1'] == 50.0
    assert result['flickr30k/phrases'] == 2


def test_overlap_threshold():
    half = [0.0, 0.0, 10.0, 5.0]  # IoU exactly 0.5
    less = [0.0, 0.0, 10.0, 4.9]
    assert evaluate([sample([(half, 1.0, 0)], [(BOX, 0)])])['flickr30k/R@1'] == 100
    assert evaluate([sample([(less, 1.0, 0)], [(BOX, 0)])])['flickr30k/R@1'] == 0
    strict = evaluate([sample([(half, 1.0, 0)], [(BOX, 0)])], iou_thrs=0.6)
    assert strict['flickr30k/R@1'] == 0


def test_merged_boxes_are_one_that_encloses_all():
    both = [0.0, 0.0, 60.0, 60.0]
    truth = [(BOX, 0), (OTHER, 0)]
    separate = [sample([(BOX, 0.9, 0)], truth)]
    united = [sample([(both, 0.9, 0)], truth)]
    assert evaluate(separate)['flickr30k/R@1'] == 100
    assert evaluate(separate, merge_boxes=True)['flickr30k/R@1'] == 0
    assert evaluate(united)['flickr30k/R@1'] == 0
    assert evaluate(united, merge_boxes=True)['flickr30k/R@1'] == 100


def test_phrase_ids_of_mmdets_records_go_before_labels():
    item = sample([(BOX, 0.9, 1)], [(BOX, 0)])
    item['phrase_ids'] = [1]
    assert evaluate([item])['flickr30k/R@1'] == 100


def test_batches_do_not_matter():
    samples = [
        sample([(FAR, 0.9, 0), (BOX, 0.4, 0)], [(BOX, 0)]),
        sample([(BOX, 0.9, 0)], [(BOX, 0)]),
        sample([], []),
    ]
    metric = METRICS.build(dict(type='Flickr30kMetric'))
    for item in samples:
        metric.process({}, [item])
    assert metric.evaluate(3) == evaluate(samples)


def test_both_protocols_at_once_are_those_of_each():
    both = [0.0, 0.0, 60.0, 60.0]
    truth = [(BOX, 0), (OTHER, 0), (BOX, 1)]
    samples = [
        sample([(both, 0.9, 0), (BOX, 0.8, 0), (BOX, 0.7, 1)], truth),
        sample([(OTHER, 0.9, 0), (FAR, 0.8, 0), (both, 0.7, 0)], truth),
    ]
    found = evaluate(samples, topk=(1, 2, -1), merge_boxes='both')
    assert found == {
        'flickr30k/R@1': 50.0,  # phrase 1 of the first, phrase 0 of the second
        'flickr30k/R@2': 75.0,
        'flickr30k/upper_bound': 75.0,
        'flickr30k/merged_R@1': 50.0,  # both phrases of the first
        'flickr30k/merged_R@2': 50.0,
        'flickr30k/merged_upper_bound': 75.0,
        'flickr30k/phrases': 4,
    }
    for merge, start in ((False, ''), (True, 'merged_')):
        alone = evaluate(samples, topk=(1, 2, -1), merge_boxes=merge)
        for k in ('R@1', 'R@2', 'upper_bound'):
            assert alone[f'flickr30k/{k}'] == found[f'flickr30k/{start}{k}']


def test_recall_by_type():
    """A phrase of two types counts for both; types without phrases do not appear."""
    found = [(BOX, 0.9, 0), (FAR, 0.9, 1), (BOX, 0.8, 1), (BOX, 0.9, 2)]
    truth = [(BOX, 0), (BOX, 1), (BOX, 2), (BOX, 3)]
    types = (('people',), ('vehicles', 'other'), ('other',), ('zebra',))
    result = evaluate([sample(found, truth, phrase_types=types)], topk=(1, 5))
    assert result == {
        'flickr30k/R@1': 50.0,
        'flickr30k/R@5': 75.0,
        'flickr30k/R@1_people': 100.0,
        'flickr30k/R@5_people': 100.0,
        'flickr30k/R@1_vehicles': 0.0,
        'flickr30k/R@5_vehicles': 100.0,
        'flickr30k/R@1_other': 50.0,
        'flickr30k/R@5_other': 100.0,
        'flickr30k/R@1_zebra': 0.0,
        'flickr30k/R@5_zebra': 0.0,
        'flickr30k/phrases': 4,
        'flickr30k/phrases_people': 1,
        'flickr30k/phrases_vehicles': 1,
        'flickr30k/phrases_other': 2,
        'flickr30k/phrases_zebra': 1,
    }
    # Counts are no ints, which mmengine would not write.
    assert all(isinstance(value, float) for value in result.values())


def test_of_equal_scores_the_first_comes_first():
    found = [(FAR, 0.5, 0)] * 20 + [(BOX, 0.5, 0)] + [(FAR, 0.5, 0)] * 20
    result = evaluate([sample(found, [(BOX, 0)])], topk=(20, 21))
    assert result['flickr30k/R@20'] == 0 and result['flickr30k/R@21'] == 100


def test_what_became_of_each_phrase_is_written(tmp_path):
    text = 'a dog and his cats'
    spans = (((0, 5),), ((10, 13), (14, 18)))
    item = sample(
        [(BOX, 0.5, 0), (FAR, 0.75, 1), (OTHER, 0.25, 1)],
        [(BOX, 0), (OTHER, 1), (BOX, 1)],
        img_id='7_1',
        text=text,
        tokens_positive=spans,
        phrase_types=(('animals',), ('animals', 'other')),
    )
    missed = sample([], [(BOX, 0)], img_id='7_2', text='x', tokens_positive=[[(0, 1)]])
    values = evaluate([item, missed], outfile_prefix=tmp_path / 'new' / 'run')
    content = json.loads((tmp_path / 'new' / 'run.phrases.json').read_text())
    assert {f'flickr30k/{k}': v for k, v in content['results'].items()} == values
    assert content['iou_thr'] == 0.5
    assert content['phrases'] == [
        {
            'image_id': '7_1',
            'caption': text,
            'phrase': 'a dog',
            'tokens_positive': [[0, 5]],
            'rank': 1,
            'rank_merged': 1,
            'iou': 1.0,
            'bbox': BOX,
            'score': 0.5,
            'types': ['animals'],
        },
        {
            'image_id': '7_1',
            'caption': text,
            'phrase': 'his / cats',
            'tokens_positive': [[10, 13], [14, 18]],
            'rank': 2,
            'rank_merged': None,
            'iou': 0.0,
            'bbox': FAR,
            'score': 0.75,
            'types': ['animals', 'other'],
        },
        {
            'image_id': '7_2',
            'caption': 'x',
            'phrase': 'x',
            'tokens_positive': [[0, 1]],
            'rank': None,
            'rank_merged': None,
            'iou': 0.0,
            'bbox': None,
            'score': None,
        },
    ]
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['run.phrases.json']


def test_what_is_kept_of_a_caption_can_be_pickled_and_is_small():
    boxes = np.random.default_rng(0).uniform(0, 50, (100, 4)).astype(np.float32)
    boxes[:, 2:] += boxes[:, :2]
    item = sample([(box.tolist(), 0.5, 0) for box in boxes], [(BOX, 0), (OTHER, 0)])
    metric = Flickr30kMetric(merge_boxes='both')
    metric.process({}, [item])
    data = pickle.dumps(metric.results)
    assert len(data) < 3000
    (entry,) = pickle.loads(data)
    np.testing.assert_array_equal(
        entry['phrases'][0].separate, metric.results[0]['phrases'][0].separate
    )


def random_samples(count: int):
    """Captions of up to four phrases, boxes around true ones and elsewhere."""
    rng = np.random.default_rng(3)
    for number in range(count):
        asked = int(rng.integers(1, 5))
        truth, found = [], []
        for phrase in range(asked):
            for _ in range(rng.integers(1, 4)):
                corner, size = rng.integers(0, 60, 2), rng.integers(4, 40, 2)
                box = np.array([*corner, *(corner + size)], dtype=np.float32)
                truth.append((box.tolist(), phrase))
                for _ in range(rng.integers(0, 8)):
                    moved = box + rng.normal(0, 5, 4).astype(np.float32)
                    moved[2:] = np.maximum(moved[2:], moved[:2] + 1)
                    found.append((moved.tolist(), float(rng.uniform()), phrase))
        found.sort(key=lambda row: -row[1])
        yield sample(found, truth, img_id=number), [f'p{i}' for i in range(asked)]


def test_equals_mmdets_metric():
    """On any box; for merged ones mmdet's fails by a misspelt name."""
    from mmdet.evaluation.metrics import Flickr30kMetric as Theirs

    theirs, samples, multiple = Theirs(), [], 0
    for item, words in random_samples(60):
        samples.append(item)
        truth = item['gt_instances']
        multiple += len(truth['labels']) > len(words)
        theirs.process({}, [dict(item, phrase_ids=truth['labels'], phrases=words)])
    expected = theirs.compute_metrics(theirs.results)
    found = evaluate(samples)
    assert multiple > 20 and 20 < found['flickr30k/R@1'] < found['flickr30k/R@5'] < 99
    for k, name in ((1, 'R@1'), (5, 'R@5'), (10, 'R@10'), (-1, 'upper_bound')):
        assert found[f'flickr30k/{name}'] == pytest.approx(
            100 * expected[str(k)]['all']
        )


def test_merged_boxes_of_random_captions():
    """Each phrase compared by hand with the box that encloses its true ones."""
    samples = [item for item, _ in random_samples(40)]
    hits = count = 0
    for item in samples:
        truth, found = item['gt_instances'], item['pred_instances']
        for phrase in set(truth['labels'].tolist()):
            own = truth['bboxes'][truth['labels'] == phrase].tolist()
            x1, y1 = (min(box[i] for box in own) for i in (0, 1))
            x2, y2 = (max(box[i] for box in own) for i in (2, 3))
            count += 1
            boxes = found['bboxes'][found['labels'] == phrase].tolist()
            for left, top, right, bottom in boxes[:1]:
                width = max(min(right, x2) - max(left, x1), 0)
                height = max(min(bottom, y2) - max(top, y1), 0)
                union = (right - left) * (bottom - top) + (x2 - x1) * (y2 - y1)
                hits += width * height >= 0.5 * (union - width * height)
    found = evaluate(samples, merge_boxes='both')
    assert 0 < hits < count
    assert found['flickr30k/merged_R@1'] == pytest.approx(100 * hits / count)
    assert found['flickr30k/R@1'] > found['flickr30k/merged_R@1']


@pytest.mark.parametrize(
    'wrong',
    [
        dict(topk=()),
        dict(topk=(0,)),
        dict(topk=(1.5,)),
        dict(iou_thrs=2),
        dict(merge_boxes='all'),
    ],
)
def test_wrong_arguments(wrong):
    with pytest.raises(ConfigError):
        Flickr30kMetric(**wrong)


def test_data_of_classes_is_refused_at_the_first_picture():
    metric = Flickr30kMetric()
    item = sample([(BOX, 0.9, 0)], [(BOX, 0)], text=('cat', 'dog', 'tv', 'bus'))
    with pytest.raises(DatasetError, match=r'has classes \(cat, dog, tv, \.\.\.\)'):
        metric.process({}, [item])


def test_data_without_true_boxes_is_refused():
    item = sample([(BOX, 0.9, 0)], [(BOX, 0)], text='a cat')
    del item['gt_instances']
    with pytest.raises(ConfigError, match='put LoadAnnotations with with_bbox=True'):
        Flickr30kMetric().process({}, [item])


def test_results_of_another_kind_are_refused():
    with pytest.raises(ConfigError, match='cannot join data of classes with data of'):
        Flickr30kMetric().compute_metrics([{'img_id': 1, 'bboxes': []}])


def test_phrases_by_type(tmp_path):
    """Flickr30k's files, read here by other means, with every second box found."""
    import re
    from xml.etree import ElementTree

    from glip.datasets import Flickr30kEntitiesDataset

    root = entities_folder.write(tmp_path / 'entities')

    def area(box):
        return (box[2] - box[0]) * (box[3] - box[1])

    boxes, hits, counts = {}, {}, {}
    for path in (root / 'Annotations').iterdir():
        tree = ElementTree.parse(path).getroot()
        for entry in tree.iter('object'):
            corners = [int(one.text) for one in entry.findall('bndbox/*')]
            for name in entry.findall('name') if corners else ():
                boxes.setdefault((path.stem, name.text), []).append(corners)
    metric = Flickr30kMetric(topk=(1,), merge_boxes='both')
    data = Flickr30kEntitiesDataset(
        data_root=str(root),
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=[],
    )
    lines = {}
    for path in (root / 'Sentences').iterdir():
        if any(path.stem == image for image, _ in boxes):
            lines[path.stem] = [one for one in path.read_text().splitlines() if one]
    for number in range(len(data)):
        record = data.get_data_info(number)
        image, sentence = record['img_id'].rsplit('_', 1)
        line = lines[image][int(sentence) - 1]
        asked = [
            (chain, types.split('/'))
            for chain, types in re.findall(r'\[/EN#(\d+)/(\S+) ', line)
            if (image, chain) in boxes
        ]
        found = []
        for place, (chain, types) in enumerate(asked):
            right = int(chain) % 2 == 0
            first = boxes[image, chain][0]
            found.append((list(map(float, first)) if right else FAR, 0.5, place))
            sides = list(zip(*boxes[image, chain]))
            whole = (*map(min, sides[:2]), *map(max, sides[2:]))
            # Within the box around all, so that IoU is the ratio of areas.
            merged = right and area(first) >= 0.5 * area(whole)
            for kind in ('', *(f'_{one}' for one in types)):
                counts[kind] = counts.get(kind, 0) + 1
                hits['R@1' + kind] = hits.get('R@1' + kind, 0) + right
                hits['merged_R@1' + kind] = hits.get('merged_R@1' + kind, 0) + merged
        truth = [(e['bbox'], e['bbox_label']) for e in record['instances']]
        meta = {k: v for k, v in record.items() if k in ('text', 'phrase_types')}
        metric.process({}, [sample(found, truth, **meta)])
    values = metric.evaluate(len(data))
    assert counts[''] > 20 and len(counts) > 4
    for name, count in hits.items():
        kind = name.removeprefix('merged_').removeprefix('R@1')
        assert values[f'flickr30k/{name}'] == pytest.approx(100 * count / counts[kind])
        assert values[f'flickr30k/phrases{kind}'] == counts[kind]
