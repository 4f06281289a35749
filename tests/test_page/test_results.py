"""Table and files of what was found."""

import json

import pytest
from PIL import Image

from glip.apis import Detections
from glip.page.results import write_results


def test_table_and_files(kept, pictures, tmp_path):
    found = kept.of(str(pictures / 'one.png'), 'red. blue')
    results = write_results(found, tmp_path / 'files')
    ((name, score, *corners),) = results.table
    assert name == 'red' and score == pytest.approx(0.125, abs=0.01)
    assert corners == pytest.approx([20, 20, 100, 60], abs=2)
    record = json.loads(results.record.read_text())
    assert record['image'] == 'one.png'
    assert Detections.from_dict(record).boxes == pytest.approx(found.boxes)
    with Image.open(results.picture) as drawn:
        assert drawn.size == (160, 160)


def test_nothing_found_has_files_as_well(kept, pictures, tmp_path):
    found = kept.of(str(pictures / 'one.png'), 'blue. green')
    results = write_results(found, tmp_path / 'files')
    assert results.table == []
    assert json.loads(results.record.read_text())['bboxes'] == []
    assert results.picture.is_file()
