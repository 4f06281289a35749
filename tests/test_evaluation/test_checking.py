"""An evaluation that cannot succeed is refused before anything is computed."""

import coco_folder
import pytest
from mmengine.evaluator import Evaluator

from glip.datasets import CocoDataset, ConcatDataset
from glip.errors import ConfigError, DatasetError
from glip.evaluation import CocoMetric, MultiDatasetsEvaluator
from glip.evaluation.checking import check_evaluator


def dataset_of(file, **options):
    prefix = {'img': str(file.parent)}
    return CocoDataset(str(file), data_prefix=prefix, test_mode=True, **options)


def check(evaluator, dataset):
    evaluator.dataset_meta = dataset.metainfo
    check_evaluator(evaluator, dataset)


@pytest.fixture
def files(tmp_path):
    """Two sets with pictures 1 to 4, and one with pictures 11 and 12."""
    other = coco_folder.content(num_images=2)
    for image in other['images']:
        image['id'] += 10
    for annotation in other['annotations']:
        annotation['image_id'] += 10
    return (
        coco_folder.write(tmp_path / 'a'),
        coco_folder.write(tmp_path / 'b'),
        coco_folder.write(tmp_path / 'c', other),
    )


def test_the_file_of_the_data_set_and_a_part_of_it_pass(files):
    dataset = dataset_of(files[0])
    check(Evaluator([CocoMetric(files[0])]), dataset)
    check(Evaluator([CocoMetric(files[0])]), dataset_of(files[0], indices=2))


def test_annotations_of_other_pictures(files):
    with pytest.raises(DatasetError, match='picture 1 '):
        check(Evaluator([CocoMetric(files[2])]), dataset_of(files[0]))


def test_other_classes(files, tmp_path):
    data = coco_folder.content()
    for category in data['categories']:
        category['name'] = f'dark {category["name"]}'
    other = coco_folder.write(tmp_path / 'dark', data)
    with pytest.raises(DatasetError, match='dark red'):
        check(Evaluator([CocoMetric(other)]), dataset_of(files[0]))


@pytest.mark.parametrize('second', [1, 2])
def test_two_sets_need_the_evaluator_of_several(files, second):
    """Whether pictures of the second have the ids of the first, or others."""
    paths = [files[0], files[second]]
    dataset = ConcatDataset([dataset_of(path) for path in paths])
    with pytest.raises(ConfigError, match='MultiDatasetsEvaluator'):
        check(Evaluator([CocoMetric(path) for path in paths]), dataset)
    metrics = [CocoMetric(path) for path in paths]
    check(MultiDatasetsEvaluator(metrics, ['first', 'second']), dataset)


def test_two_sets_in_one_file_are_one_metrics_matter(files):
    halves = [dataset_of(files[0], indices=places) for places in ([0, 1], [2, 3])]
    check(Evaluator([CocoMetric(files[0])]), ConcatDataset(halves))


def test_metrics_of_several_in_the_wrong_order(files):
    dataset = ConcatDataset([dataset_of(files[0]), dataset_of(files[2])])
    metrics = [CocoMetric(files[2]), CocoMetric(files[0])]
    with pytest.raises(DatasetError, match='picture 1 '):
        check(MultiDatasetsEvaluator(metrics, ['first', 'second']), dataset)
