"""Boxes and the tokens that stand for them."""

import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

from glip.errors import DatasetError
from glip.models.dense_heads import collect_ground_truth
from glip.models.dense_heads.ground_truth import label_tokens
from glip.text import TextPrompt, Tokenizer

from .conftest import sample, with_boxes

BOX = [1.0, 2, 30, 40]


@pytest.fixture(scope='module')
def tokenizer():
    return Tokenizer()


def test_a_repeated_class_name_shares_the_tokens_of_the_first(tokenizer):
    prompt = TextPrompt.from_classes(['cat', 'dog', 'cat', 'bird'])
    # [CLS] cat . dog . [SEP]: the bird is past the budget.
    rows = label_tokens(tokenizer.encode(prompt, 6, truncate=True))
    assert rows == [(1,), (3,), (1,), ()]


def test_phrases_of_the_same_words_are_two_things(tokenizer):
    caption = 'a man and a man with a man'
    spans = [[[0, 5]], [[10, 15]], [[10, 15], [21, 26]]]
    prompt = TextPrompt.from_spans(caption, spans)
    assert prompt.names[:2] == ('a man', 'a man')
    # [CLS] a man and a man with a man [SEP]
    assert label_tokens(tokenizer.encode(prompt)) == [(1, 2), (4, 5), (4, 5, 7, 8)]


def test_several_prompts_of_one_class_are_all_its_tokens(tokenizer):
    prompt = TextPrompt.from_mapping({'kitten': 'pet', 'car': 'car', 'puppy': 'pet'})
    found = label_tokens(tokenizer.encode(prompt))
    words = tokenizer.encode(prompt)
    kitten, car, puppy = words.entity_tokens
    assert found == [kitten + puppy, car]


def test_a_batch_is_padded_to_its_longest_and_one_blank_row(tokenizer):
    prompts = [
        tokenizer.encode(TextPrompt.from_classes(['cat', 'dog'])),
        tokenizer.encode(TextPrompt.from_classes(['a bird'])),
        tokenizer.encode(TextPrompt.from_classes(['cat'])),
    ]
    samples = [
        with_boxes(sample((64, 96), ['cat', 'dog']), [BOX, [0, 0, 9, 9]], [1, 0]),
        with_boxes(sample((64, 96), ['a bird']), [BOX], [0]),
        with_boxes(sample((64, 96), ['cat']), [], []),
    ]
    boxes = samples[1].gt_instances.bboxes
    samples[1].gt_instances.bboxes = HorizontalBoxes(boxes)
    truth = collect_ground_truth(samples, prompts)
    assert truth.boxes.shape == (3, 3, 4)
    assert truth.boxes[0].tolist() == [BOX, [0, 0, 9, 9], [0] * 4]
    assert truth.boxes[1].tolist() == [BOX, [0] * 4, [0] * 4]
    assert truth.tokens.shape == (3, 3, 5)
    assert truth.tokens.nonzero().tolist() == [
        [0, 0, 3],
        [0, 1, 1],
        [1, 0, 1],
        [1, 0, 2],
    ]
    assert truth.valid.tolist() == [
        [True, True, False],
        [True, False, False],
        [False] * 3,
    ]


@pytest.mark.parametrize('label', [2, -1])
def test_a_label_without_words_is_named_with_its_picture(tokenizer, label):
    prompts = [
        tokenizer.encode(TextPrompt.from_classes(['cat'])),
        tokenizer.encode(TextPrompt.from_spans('a cat', [[[0, 5]], [[2, 5]]])),
    ]
    samples = [
        with_boxes(sample((64, 96), ['cat']), [BOX], [0]),
        with_boxes(sample((64, 96), 'a cat', img_path='x.jpg'), [BOX], [label]),
    ]
    with pytest.raises(DatasetError, match=rf'^x.jpg: label {label} .* 2 phrases'):
        collect_ground_truth(samples, prompts)


def test_boxes_without_a_weight_count_in_full(tokenizer):
    prompts = [tokenizer.encode(TextPrompt.from_classes(['cat']))] * 2
    samples = [
        with_boxes(sample((64, 96), ['cat']), [BOX, BOX], [0, 0]) for _ in range(2)
    ]
    assert collect_ground_truth(samples, prompts).weights is None
    samples[1].gt_instances.weights = torch.tensor([0.5, 0.25])
    weights = collect_ground_truth(samples, prompts).weights
    assert weights[:, :2].tolist() == [[1, 1], [0.5, 0.25]]
