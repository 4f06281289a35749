"""Files that list far more categories than they use, as big vocabularies do."""

import json
from dataclasses import replace

import numpy as np
import pytest

from glip.datasets import coco_file, read_coco
from glip.datasets.converters import from_coco
from glip.evaluation.box_ap import DetectionRows, box_ap
from glip.text import TextPrompt, Tokenizer

COUNT = 3000


class Compared:
    """Counts the comparisons of what is mixed into it, which lists make one by one."""

    number = 0

    def __eq__(self, other):
        Compared.number += 1
        return super().__eq__(other)

    __hash__ = None


class Id(Compared, int):
    __hash__ = int.__hash__


class Name(Compared, str):
    __hash__ = str.__hash__


@pytest.fixture
def content(monkeypatch):
    """A file of many categories, of which two have boxes."""
    ids = [Id(number + 1) for number in range(COUNT)]
    content = {
        'images': [{'id': 1, 'file_name': 'a.jpg', 'width': 50, 'height': 40}],
        'annotations': [
            {'id': n, 'image_id': 1, 'category_id': ids[c], 'bbox': [n, n, 9, 9]}
            for n, c in enumerate((COUNT // 2, COUNT - 1), 1)
        ],
        'categories': [
            {'id': i, 'name': f'thing {i:05}', 'supercategory': f'thing {i % 1000:05}'}
            for i in ids
        ],
    }
    monkeypatch.setattr(coco_file, 'read_json', lambda *_: content)
    monkeypatch.setattr(Compared, 'number', 0)
    return content


def test_reading_compares_no_category_with_all_others(content):
    assert len(read_coco('a.json').names) == COUNT - 999  # empty super-categories
    assert Compared.number < 50 * COUNT


def test_other_names_for_all_categories(content):
    names = [f'word {n}' for n in range(COUNT - 999)]
    assert read_coco('a.json', category_names=names).names == tuple(names)
    assert Compared.number < 50 * COUNT


def test_converting_compares_no_name_with_all_others(content, monkeypatch, tmp_path):
    names = tuple(Name(f'thing {n}') for n in range(COUNT))

    def read(*args, **options):
        coco = read_coco('a.json', [c['name'] for c in content['categories']])
        return replace(coco, names=names)

    monkeypatch.setattr(from_coco, 'read_coco', read)
    monkeypatch.setattr(Compared, 'number', 0)
    (tmp_path / 'a.json').touch()
    from_coco.coco_to_odvg(tmp_path / 'a.json', tmp_path / 'a.jsonl')
    assert len(json.loads((tmp_path / 'a_label_map.json').read_text())) == COUNT
    assert Compared.number < 50 * COUNT


def test_evaluation_has_room_for_classes_with_boxes_alone(content):
    coco = read_coco('a.json')
    found = coco.labels[COUNT]
    box = [2.0, 2.0, 11.0, 11.0]
    entry = dict(img_id=1, bboxes=[box, box], scores=[0.9, 0.8], labels=[found, 7])
    evaluation = box_ap(coco, DetectionRows.of([entry]))
    assert evaluation.precision.shape[2] == 2
    assert evaluation.ap() == pytest.approx(0.5)
    assert evaluation.ap(classes=[found]) == 1 and evaluation.ap(classes=[7]) == -1
    by_class = evaluation.by_class()
    assert len(by_class) == len(coco.names)
    assert np.flatnonzero(by_class > -1).tolist() == sorted(
        [coco.labels[COUNT // 2 + 1], found]
    )


def test_a_training_prompt_is_read_no_further_than_it_fits(monkeypatch):
    names = [f'striped thing {number}' for number in range(200_000)]
    prompt = TextPrompt.from_classes(names)
    read = []
    tokenize = Tokenizer.tokenize

    def counted(self, text):
        read.append(len(text))
        return tokenize(self, text)

    monkeypatch.setattr(Tokenizer, 'tokenize', counted)
    encoded = Tokenizer().encode(prompt, 256, truncate=True)
    assert sum(read) < 100_000 < len(prompt.caption)
    # As many as begin a shorter list, which is read whole.
    shorter = Tokenizer().encode(prompt.subset(range(300)), 256, truncate=True)
    assert encoded.input_ids == shorter.input_ids
    assert encoded.entity_tokens[:300] == shorter.entity_tokens
    assert not any(encoded.entity_tokens[300:])


def test_long_words_at_the_cut_of_a_training_caption():
    text = ' '.join(['x' * 99, 'dog'] * 2000)
    prompt = TextPrompt.from_spans(text, [[[0, 99]], [[100, 103]], [[150000, 150010]]])
    encoded = Tokenizer().encode(prompt, 64, truncate=True)
    whole, _ = Tokenizer().tokenize(text)
    assert list(encoded.input_ids[1:-1]) == whole[:62]
    assert encoded.entity_tokens[0] and not encoded.entity_tokens[2]
