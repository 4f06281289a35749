"""Files of predictions: what is read, and what is refused."""

import pickle

import numpy as np
import predictions
import pytest
import torch

from glip.errors import DatasetError
from glip.evaluation.predictions import check_pictures, entry_of, read_predictions

ONE = predictions.sample(7, [[1, 2, 3, 4]], [0.5], [2], text=('a', 'b', 'c'))


def test_what_test_writes_is_read(tmp_path):
    (found,) = read_predictions(predictions.write(tmp_path / 'x.pkl', [ONE]))
    assert found['img_id'] == 7 and found['text'] == ('a', 'b', 'c')
    entry = entry_of(found)
    assert entry['bboxes'].tolist() == [[1, 2, 3, 4]]
    assert entry['labels'].dtype == np.int64 and entry['scores'].dtype == np.float64


def test_arrays_half_precision_and_pictures_without_detections_are_read(tmp_path):
    arrays = {
        'img_id': 'x',
        'pred_instances': {
            'bboxes': np.zeros((0, 4), np.float32),
            'scores': np.zeros(0),
            'labels': np.zeros(0, int),
        },
    }
    half = predictions.sample(1, [[0, 0, 1, 1]], [0.25], [0])
    half['pred_instances']['scores'] = torch.tensor([0.25], dtype=torch.float16)
    path = predictions.write(tmp_path / 'x.pkl', [arrays, half])
    first, second = map(entry_of, read_predictions(path))
    assert first['bboxes'].shape == (0, 4)
    assert second['scores'].tolist() == [0.25]


def test_an_entry_of_a_metric_is_an_entry():
    entry = entry_of({'img_id': 1, 'bboxes': [], 'scores': [], 'labels': []})
    assert entry['bboxes'].shape == (0, 4) and entry['img_id'] == 1


class _Harmful:
    def __reduce__(self):
        return (print, ('ran',))


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        ([], 'predictions of no picture'),
        ({'state_dict': {}}, 'but a dict'),
        ([1], 'entry 0 is a int'),
        ([{'img_id': 1}], 'lacks img_id, pred_instances'),
        ([{'img_id': 1, 'pred_instances': {'bboxes': []}}], 'lacks scores, labels'),
        (
            [predictions.sample(1, [[0, 0, 1, 1]], [0.5, 0.4], [0])],
            'boxes, scores and labels',
        ),
        ([_Harmful()], 'builtins.print'),
    ],
)
def test_foreign_content_is_refused(tmp_path, capsys, content, said):
    path = predictions.write(tmp_path / 'x.pkl', content)
    with pytest.raises(DatasetError, match=said) as error:
        read_predictions(path)
    assert '\n' not in str(error.value) and str(path) in str(error.value)
    assert 'ran' not in capsys.readouterr().out


def test_a_tensor_cannot_hide_code(tmp_path):
    inner = pickle.dumps(_Harmful())

    class Sneaky:
        def __reduce__(self):
            return torch.storage._load_from_bytes, (inner,)

    path = predictions.write(tmp_path / 'x.pkl', [Sneaky()])
    with pytest.raises(DatasetError):
        read_predictions(path)


@pytest.mark.parametrize(
    'data', [b'', b'hello', b'\x80\x04]', b'PK\x03\x04' + b'x' * 99]
)
def test_damaged_files_are_said(tmp_path, data):
    path = tmp_path / 'x.pkl'
    path.write_bytes(data)
    with pytest.raises(DatasetError, match='no .pkl file or is cut short'):
        read_predictions(path)


def test_a_cut_file_is_said(tmp_path):
    path = predictions.write(tmp_path / 'x.pkl', [ONE] * 3)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DatasetError, match='cut short'):
        read_predictions(path)


def test_missing_files_and_folders_are_said(tmp_path):
    with pytest.raises(DatasetError, match='does not exist; tools/test.py --out'):
        read_predictions(tmp_path / 'no.pkl')
    with pytest.raises(DatasetError, match='is a folder'):
        read_predictions(tmp_path)


def test_pictures_must_be_those_of_the_data():
    check_pictures([ONE], [7], 'set')
    with pytest.raises(DatasetError, match='of 1 pictures, but set has 2'):
        check_pictures([ONE], [7, 8], 'set')
    with pytest.raises(DatasetError, match='picture 0 has the id 7 there and 8 here'):
        check_pictures([ONE], [8], 'set')
