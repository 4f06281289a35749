"""Classes as captions: the original's rules, checked on its cases and on many draws."""

import copy
import logging
import pickle
from collections import Counter

import numpy as np
import official
import pytest
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks

from glip.datasets import PackDetInputs, RandomSamplingNegPos
from glip.errors import ConfigError, DatasetError, PromptError
from glip.registry import TRANSFORMS
from glip.text import Tokenizer, clean_name, dataset_classes, parse_text

NAMES = tuple('cat dog person red_car teddy_bear zebra_(animal) x y z w'.split())
TOKENIZER = Tokenizer()


def sample(labels, names=NAMES, **more):
    labels = np.array(labels, dtype=np.int64)
    boxes = np.zeros((len(labels), 4), dtype=np.float32)
    boxes[:, 0] = range(len(labels))  # so that a box tells which one it was
    return {
        'text': names,
        'custom_entities': True,
        'caption_prompt': None,
        'dataset_mode': 'OD',
        'gt_bboxes_labels': labels,
        'gt_bboxes': boxes,
        'gt_ignore_flags': np.zeros(len(labels), dtype=bool),
    } | more


def phrase(results, entity):
    return ' / '.join(
        results['text'][begin:end] for begin, end in results['tokens_positive'][entity]
    )


def phrases(results):
    return [phrase(results, i) for i in range(len(results['tokens_positive']))]


def size(results):
    return len(TOKENIZER.tokenize(results['text'])[0]) + 2


def check(results, labels, names, max_tokens=256):
    """What holds for every caption of classes, whatever was drawn."""
    words = phrases(results)
    assert size(results) <= max_tokens
    assert len({word.lower().strip() for word in words}) == len(words) > 0
    assert '__background__' not in words and 'background' not in results['text']
    new = results['gt_bboxes_labels']
    rows = results['gt_bboxes'][:, 0].astype(int)
    assert new.dtype == np.int64
    assert len(new) == len(rows) == len(results['gt_ignore_flags'])
    for label, row in zip(new, rows):
        assert words[label] == clean_name(names[labels[row]])
    assert results['num_boxes_cut'] == len(labels) - len(rows)
    present = {clean_name(names[label]) for label in labels}
    asked = {words[label] for label in new}
    assert not (set(words) - asked) & present
    begins = [spans[0][0] for spans in results['tokens_positive']]
    assert begins == sorted(begins)
    return len(words) - len(asked)


def official_cases():
    data = official.figures('data')
    names = data['od_to_grounding_ind_to_class']
    return {int(i): name for i, name in names.items()}, data['od_to_grounding']


def from_official(args, **more):
    return RandomSamplingNegPos(
        num_sample_negative=args['random_sample_negative'],
        max_tokens=args['max_seq_length'] + 2,
        control_prob=args['control_probabilities'],
        max_classes=args['max_num_labels'] if args['max_num_labels'] > 0 else None,
        shuffle=not args['disable_shuffle'],
        prefix='object detection : ' if args['add_detection_prompt'] else '',
        separator=args['separation_tokens'],
        **more,
    )


@pytest.mark.parametrize('case', range(7))
def test_official_cases(case):
    classes, cases = official_cases()
    case = cases[case]
    args = case['args']
    del classes[0]  # no name of a class; the original asked for it
    transform = from_official(args)
    theirs = Counter(case['label_to_positions'].keys()) - Counter('0')
    ours = set()
    for seed in range(60):
        np.random.seed(seed)
        labels = case['labels']
        results = transform(sample(labels, classes))
        negatives = check(results, labels, classes, args['max_seq_length'] + 2)
        positives = [classes[label] for label in case['kept_labels']]
        assert [phrase(results, i) for i in results['gt_bboxes_labels']] == [
            clean_name(name) for name in positives
        ]
        ours.add(negatives)
        if case['caption'].startswith('object detection : '):
            assert results['text'].startswith('object detection : ')
    negatives = len(theirs) - len(set(case['kept_labels']))
    if args['max_seq_length'] > 100:
        assert negatives in ours  # their draw is one of ours
    else:
        # What the original fits with a separator too much, fits us as well.
        assert max(ours) >= negatives
    if args['max_num_labels'] > 0:
        assert max(ours) <= args['max_num_labels'] - len(set(case['labels']))
    if args['control_probabilities'][:2] == [0.5, 0.5]:
        assert ours == {0, 1}  # one draw, which may hit the picture's class, or none


def test_official_caption_in_the_order_of_the_classes():
    classes, cases = official_cases()
    case = cases[5]
    assert case['args']['disable_shuffle']
    del classes[0]
    # The original then asks for all classes.
    transform = from_official(case['args'] | {'control_probabilities': [0, 0, 1]})
    results = transform(sample(case['labels'], classes))
    assert results['text'] == case['caption']
    spans = [[list(span)] for (span,) in results['tokens_positive']]
    assert spans == [[span] for span in case['label_to_positions'].values()]
    found = [list(*results['tokens_positive'][i]) for i in results['gt_bboxes_labels']]
    assert found == case['greenlight']


@pytest.mark.parametrize('shuffle', [True, False])
@pytest.mark.parametrize('max_tokens', [7, 12, 30, 256])
def test_rules_hold_for_every_draw(max_tokens, shuffle):
    transform = RandomSamplingNegPos(max_tokens=max_tokens, shuffle=shuffle)
    orders = set()
    for seed in range(200):
        np.random.seed(seed)
        labels = np.random.randint(0, 10, np.random.randint(0, 8)).tolist()
        results = transform(sample(labels))
        check(results, labels, NAMES, max_tokens)
        words = phrases(results)
        if shuffle:
            orders.add(words == sorted(words))
        else:
            places = [[clean_name(name) for name in NAMES].index(w) for w in words]
            assert places == sorted(places)
        # The model reads it as it is.
        prompt = parse_text(
            results['text'],
            custom_entities=results['custom_entities'],
            tokens_positive=results['tokens_positive'],
            caption_prompt=results['caption_prompt'],
        )
        assert all(TOKENIZER.encode(prompt, max_tokens).entity_tokens)
        assert list(prompt.names) == words
    assert not shuffle or len(orders) == 2


def test_a_thousand_classes_fill_the_budget_and_no_more():
    names = dataset_classes('lvis')
    transform = RandomSamplingNegPos(full_sampling_prob=1.0)
    sizes = []
    for seed in range(60):
        np.random.seed(seed)
        labels = np.random.randint(0, len(names), 4 * seed).tolist()
        results = transform(sample(labels, names))
        check(results, labels, names)
        sizes.append(size(results))
    assert transform.counts['boxes_cut'] > 0
    # Room is left only for less than most names need.
    assert np.mean(np.array(sizes[30:]) >= 253) > 0.9


def test_names_are_measured_once_per_data_set(monkeypatch):
    """Else a picture of a set with a thousand classes takes a second."""
    measured = []
    tokenize = Tokenizer.tokenize
    monkeypatch.setattr(
        Tokenizer,
        'tokenize',
        lambda self, text: measured.append(text) or tokenize(self, text),
    )
    transform = RandomSamplingNegPos()
    names = dataset_classes('coco')
    first = len(measured)
    transform(sample([3], names))
    assert len(measured) > first
    first = len(measured)
    for labels in ([0], [5, 7], []):
        transform(sample(labels, (*names,)))  # equal, but another object
    assert len(measured) == first
    transform(sample([1]))
    assert len(measured) > first


def test_positives_that_fit_are_never_given_up_for_negatives():
    # 'x', 'y' and 'z' take 5 tokens with their separators, [CLS] and [SEP] two more.
    transform = RandomSamplingNegPos(max_tokens=7)
    for _ in range(30):
        results = transform(sample([6, 7, 8]))
        assert sorted(phrases(results)) == ['x', 'y', 'z']
        assert results['num_boxes_cut'] == 0
    # A long name makes way for short ones, not the other way round.
    long = 'a name of very many words'
    kept = Counter()
    for _ in range(30):
        results = RandomSamplingNegPos(max_tokens=5)(
            sample([0, 1, 2], (long, 'x', 'y'))
        )
        kept.update(phrases(results))
        assert size(results) == 5 and results['num_boxes_cut'] == 1
    assert kept == {'x': 30, 'y': 30}


def test_boxes_without_room_are_dropped_everywhere_and_counted(caplog):
    transform = RandomSamplingNegPos(max_tokens=5, num_sample_negative=0)
    labels = [6, 7, 8, 6, 9]
    for _ in range(20):
        masks = np.zeros((5, 4, 4), dtype=np.uint8)
        masks[range(5), 0, 0] = range(5)
        polygons = [[np.full(6, float(i))] for i in range(5)]
        results = sample(labels)
        results['gt_bboxes'] = HorizontalBoxes(results['gt_bboxes'])
        first = transform(
            copy.deepcopy(results) | {'gt_masks': BitmapMasks(masks, 4, 4)}
        )
        rows = first['gt_bboxes'].tensor[:, 0].tolist()
        assert first['gt_masks'].masks[:, 0, 0].tolist() == rows
        assert [phrase(first, i) for i in first['gt_bboxes_labels']] == [
            NAMES[labels[int(row)]] for row in rows
        ]
        assert first['num_boxes_cut'] == 5 - len(rows) > 0
        second = transform(results | {'gt_masks': PolygonMasks(polygons, 4, 4)})
        rows = second['gt_bboxes'].tensor[:, 0].tolist()
        assert [m[0][0] for m in second['gt_masks'].masks] == rows
    assert transform.counts['samples'] == 40 and transform.counts['boxes'] == 200
    assert transform.counts['boxes_cut'] >= 80
    packed = PackDetInputs()(second | {'img': np.zeros((4, 4, 3), np.uint8)})
    assert packed['data_samples'].num_boxes_cut == second['num_boxes_cut']
    assert packed['data_samples'].dataset_mode == 'OD'


def test_what_is_left_out_is_logged_now_and_then(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'glip.transforms.random_sampling_neg_pos.print_log',
        lambda message, logger, level: lines.append((level, message)),
    )
    transform = RandomSamplingNegPos(max_tokens=3, num_sample_negative=0)
    for _ in range(150):
        transform(sample([6, 7]))
    assert [line[1].split()[0] for line in lines] == ['1', '10', '100']
    assert lines[2] == (
        logging.WARNING,
        '100 of 200 boxes in 100 samples have no room for their words in captions of 3 '
        'tokens, so they do not train',
    )


@pytest.mark.parametrize(
    'names',
    [
        ('bow_(weapon)', 'bow_(decorative_ribbons)', 'tree'),
        ('Dog', 'dog', 'tree'),
        ('dog (big)', 'dog', 'tree'),
        ('red_car', 'red  car', 'tree'),
    ],
)
@pytest.mark.parametrize('tokenizer', ['uncased', 'cased'])
def test_names_that_read_alike_are_one_word(names, tokenizer, tmp_path):
    name = 'bert-base-uncased'
    if tokenizer == 'cased':
        letters = [chr(c) for c in range(ord('A'), ord('z') + 1) if chr(c).isalpha()]
        vocab = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '.', ',', *letters]
        vocab += [f'##{letter}' for letter in letters]
        name = str(tmp_path / 'vocab.txt')
        (tmp_path / 'vocab.txt').write_text('\n'.join(vocab))
        (tmp_path / 'tokenizer_config.json').write_text('{"do_lower_case": false}')
    transform = RandomSamplingNegPos(name, full_sampling_prob=1.0)
    clean = [clean_name(n).lower().strip() for n in names]
    for labels in ([0], [1], [0, 1], [1, 1, 0], [2], []):
        for _ in range(10):
            results = transform(sample(labels, names))
            words = [word.lower().strip() for word in phrases(results)]
            assert sorted(words) == sorted({clean[0], 'tree'})
            found = [words[i] for i in results['gt_bboxes_labels']]
            assert found == [clean[label] for label in labels]


def test_absent_names_stand_in_no_relation_to_lost_boxes():
    """A class that is in the picture but has no room is not asked for as absent."""
    transform = RandomSamplingNegPos(max_classes=1, full_sampling_prob=1.0)
    for _ in range(30):
        results = transform(sample([6, 7, 8]))
        assert len(phrases(results)) == 1 and results['num_boxes_cut'] == 2


def test_classes_with_ignored_boxes_only_are_not_asked_for():
    flags = np.array([True, False, False, True])
    transform = RandomSamplingNegPos(full_sampling_prob=1.0)
    for _ in range(20):
        results = transform(sample([0, 1, 2, 2], gt_ignore_flags=flags))
        assert 'cat' not in phrases(results) and len(phrases(results)) == 9
        found = [phrase(results, i) for i in results['gt_bboxes_labels']]
        assert found == ['dog', 'person', 'person']
        assert results['gt_ignore_flags'].tolist() == [False, False, True]
        assert results['num_boxes_cut'] == 0
    alone = sample([0], ('cat',), gt_ignore_flags=np.array([True]))
    assert transform(alone) is None  # nothing is left to ask for


def test_number_of_negatives():
    names = tuple(f'{a}{b}' for a in 'abcdefghij' for b in 'klmnopqrst')  # 100
    count = 1000

    def drawn(labels, **args):
        transform = RandomSamplingNegPos(max_tokens=1000, **args)
        np.random.seed(0)
        counts = [
            len(transform(sample(labels, names))['tokens_positive']) - len(set(labels))
            for _ in range(count)
        ]
        return np.array(counts)

    # All 85 draws of 100 names, of which those that hit 10 positives are void.
    full = drawn(range(10), full_sampling_prob=1.0)
    assert full.min() >= 75 and full.max() <= 85
    assert abs(full.mean() - 85 * 0.9) < 0.2
    uniform = drawn([], full_sampling_prob=0.0)
    assert set(uniform) == set(range(1, 86)) and abs(uniform.mean() - 43) < 2
    both = drawn([])
    assert abs((both == 85).mean() - (0.5 + 0.5 / 85)) < 0.04
    control = drawn([0], control_prob=(0.25, 0.25, 0.5, 0.0), num_sample_negative=30)
    assert abs((control == 0).mean() - 0.25) < 0.04
    assert abs((control == 1).mean() - 0.25) < 0.04
    assert set(control) <= {0, 1, 29, 30}
    bounded = drawn([0, 1], full_sampling_prob=0.0, max_classes=8, min_negatives=3)
    assert set(bounded) == {3, 4, 5, 6}
    assert np.ptp(np.bincount(bounded)[3:]) < 0.15 * count
    assert set(drawn([0], num_sample_negative=0)) == {0}


def test_labels_of_several_digits_are_not_taken_for_absent_ones():
    """mmdet compared the numbers of draws, strings, with labels."""
    names = {str(i): f'{chr(97 + i // 10)}{chr(107 + i % 10)}' for i in range(100)}
    transform = RandomSamplingNegPos(num_sample_negative=100, full_sampling_prob=1.0)
    before = dict(names)
    labels = [3, 10, 99, 31]
    for _ in range(10):
        words = phrases(transform(sample(labels, names, img_path='a.jpg')))
        assert len(set(words)) == len(words)
        results = transform(sample(np.array(labels).astype(str), names))
        found = [phrase(results, i) for i in results['gt_bboxes_labels']]
        assert found == [names[str(label)] for label in labels]
    assert names == before


def test_vocabulary_gives_further_negatives():
    transform = RandomSamplingNegPos(
        min_negatives=3, vocabulary=('Rabbit', 'cat', 'dog', 'x', 'cat')
    )
    seen = Counter()
    for _ in range(30):
        results = transform(sample([0, 0], ('rabbit',)))
        words = phrases(results)
        assert [words[i] for i in results['gt_bboxes_labels']] == ['rabbit'] * 2
        assert len(set(words)) == len(words) == 4
        seen.update(words)
    assert seen.keys() == {'rabbit', 'cat', 'dog', 'x'}


def test_more_classes_than_allowed_lose_their_boxes():
    transform = RandomSamplingNegPos(max_classes=3)
    kept = set()
    for _ in range(50):
        labels = [0, 1, 2, 3, 4, 0]
        results = transform(sample(labels))
        assert check(results, labels, NAMES) == 0
        kept |= set(phrases(results))
        assert len(phrases(results)) == 3
    assert kept == {'cat', 'dog', 'person', 'red car', 'teddy bear'}


def test_picture_without_boxes_still_has_words():
    for _ in range(20):
        results = RandomSamplingNegPos(num_sample_negative=0)(sample([]))
        assert len(phrases(results)) == 1
        assert len(results['gt_bboxes_labels']) == 0
    assert phrases(RandomSamplingNegPos()(sample([], ('rabbit',)))) == ['rabbit']


def test_synonyms_take_turns_and_data_stays_as_it_is():
    names = ('cabinet/shelf', 'Shelf', 'tv / monitor', 'cup_(tea/coffee)', 'w/')
    transform = RandomSamplingNegPos(full_sampling_prob=1.0, synonyms='/')
    seen = Counter()
    for _ in range(60):
        results = transform(sample([0], names))
        words = phrases(results)
        found = words[results['gt_bboxes_labels'][0]]
        assert found in ('cabinet', 'shelf')
        assert 'Shelf' not in words  # the picture may well have one
        assert 'cup ' in words and 'w' in words
        seen.update(words)
    assert names[0] == 'cabinet/shelf'
    assert 10 < seen['cabinet'] < 50 and seen['cabinet'] + seen['shelf'] == 60
    assert 10 < seen['tv'] < 50 and seen['tv'] + seen['monitor'] == 60
    # Two classes of one word share it.
    for _ in range(20):
        results = transform(sample([0, 1], names))
        words = [word.lower() for word in phrases(results)]
        assert len(set(words)) == len(words)
        assert words[results['gt_bboxes_labels'][1]] == 'shelf'
    whole = RandomSamplingNegPos()(sample([0], names))
    assert 'cabinet/shelf' in phrases(whole)


def test_caption_prompt_and_prefix():
    prompt = {'dog': {'prefix': 'a small ', 'name': 'puppy', 'suffix': ' on grass'}}
    transform = RandomSamplingNegPos(
        prefix='object detection : ', separator=' | ', shuffle=False, max_tokens=23,
        control_prob=(0, 0, 1),
    )  # fmt: skip
    names = ('cat', 'dog', 'person')
    results = transform(sample([1, 0], names, caption_prompt=prompt))
    assert results['text'] == (
        'object detection : cat | a small puppy on grass | person'
    )
    assert phrases(results) == ['cat', 'puppy', 'person']
    assert results['gt_bboxes_labels'].tolist() == [1, 0]
    assert results['caption_prompt'] is None and results['custom_entities'] is False
    # Other words of another data set: tables do not mix.
    assert 'dog' in phrases(transform(sample([1], names)))
    # Context counts: 3 + 1 + 1 + 5 + 2 tokens.
    tight = RandomSamplingNegPos(
        prefix='object detection : ', separator=' | ', max_tokens=12,
        num_sample_negative=0,
    )  # fmt: skip
    for _ in range(10):
        results = tight(sample([1, 0], names, caption_prompt=prompt))
        assert size(results) == 12 and results['num_boxes_cut'] == 0
    tight = RandomSamplingNegPos(prefix='object detection : ', max_tokens=11)
    for _ in range(10):
        results = tight(sample([1, 0, 2], names, caption_prompt=prompt))
        assert results['num_boxes_cut'] in (1, 2)


def test_seed_decides():
    def run(seed):
        np.random.seed(seed)
        transform = RandomSamplingNegPos()
        return [transform(sample([1, 5]))['text'] for _ in range(5)]

    assert run(1) == run(1) != run(2)


def test_copies_work_as_the_original_does():
    transform = RandomSamplingNegPos(prefix='find : ')
    transform(sample([0]))
    for other in (pickle.loads(pickle.dumps(transform)), copy.deepcopy(transform)):
        np.random.seed(0)
        first = transform(sample([1]))['text']
        np.random.seed(0)
        assert other(sample([1]))['text'] == first


def test_config_of_mmdet_carries_over(tmp_path):
    label_map = tmp_path / 'map.json'
    label_map.write_text('{"0": "cat", "1": "dog", "7": "bird"}')
    transform = TRANSFORMS.build(
        dict(
            type='RandomSamplingNegPos',
            tokenizer_name='bert-base-uncased',
            num_sample_negative=85,
            label_map_file=str(label_map),
            max_tokens=256,
        )
    )
    record = sample([7, 1, 7])
    del record['text']
    results = transform(record)
    found = [phrase(results, i) for i in results['gt_bboxes_labels']]
    assert found == ['bird', 'dog', 'bird']


CAPTION = 'A man and his dog. The man wears a hat.'
SPANS = (((0, 5),), ((10, 17),), ((19, 26), (33, 38)), ((2, 5),))


def grounding(labels=(0, 1, 2, 2, 3), caption=CAPTION, spans=SPANS):
    record = sample(labels, caption)
    return record | {'tokens_positive': spans, 'dataset_mode': 'VG'}


def test_caption_within_the_budget_is_left_alone():
    results = RandomSamplingNegPos()(grounding())
    assert results['text'] == CAPTION and results['tokens_positive'] == SPANS
    assert results['gt_bboxes_labels'].tolist() == [0, 1, 2, 2, 3]
    assert results['num_boxes_cut'] == 0


@pytest.mark.parametrize('max_tokens', range(3, 14))
def test_phrases_behind_the_budget_lose_their_boxes(max_tokens):
    tokens = TOKENIZER.tokenize(CAPTION)[1]
    transform = RandomSamplingNegPos(max_tokens=max_tokens)
    results = transform(grounding())
    assert size(results) <= max_tokens
    assert CAPTION.startswith(results['text'])
    room = max_tokens - 2
    end = tokens[room][0] if room < len(tokens) else len(CAPTION)
    whole = [i for i, ((_, e), *_) in enumerate(SPANS) if e <= end]
    labels = [0, 1, 2, 2, 3]
    kept = [row for row, label in enumerate(labels) if label in whole]
    assert results['gt_bboxes'][:, 0].tolist() == kept
    assert results['num_boxes_cut'] == transform.counts['boxes_cut'] == 5 - len(kept)
    for new, row in zip(results['gt_bboxes_labels'], kept):
        expected = SPANS[labels[row]]
        assert results['tokens_positive'][new] == tuple(
            span for span in expected if span[1] <= end
        )
    assert results['tokens_positive']  # a prompt needs an entity
    prompt = parse_text(results['text'], tokens_positive=results['tokens_positive'])
    assert all(TOKENIZER.encode(prompt, max_tokens).entity_tokens)


def test_caption_without_blanks_is_cut_within():
    caption = '犬猫' * 200
    results = RandomSamplingNegPos(max_tokens=12)(
        grounding([0, 1], caption, (((0, 2),), ((300, 302),)))
    )
    assert size(results) == 12 and results['gt_bboxes_labels'].tolist() == [0]
    results = RandomSamplingNegPos(max_tokens=4)(
        grounding([0], 'unbelievablyuncharacteristically', (((0, 20),),))
    )
    assert size(results) == 4 and results['num_boxes_cut'] == 1


def test_caption_is_not_cut_within_a_word():
    # un ##bel ##ie ##va ##bly
    caption = 'a cat unbelievably red'
    for max_tokens, kept in ((5, 'a cat '), (8, 'a cat '), (9, caption[:-3])):
        results = RandomSamplingNegPos(max_tokens=max_tokens)(
            grounding([0], caption, (((0, 5),),))
        )
        assert results['text'] == kept


@pytest.mark.parametrize(
    'record, error, message',
    [
        ({'gt_bboxes_labels': None}, ConfigError, 'behind LoadAnnotations'),
        ({'text': None}, ConfigError, 'return_classes=True'),
        ({'text': 'a cat'}, ConfigError, 'no tokens_positive'),
        ({'text': ('cat',)}, DatasetError, 'a.jpg: label 1 but there are 1 names'),
        ({'text': ('cat', 3)}, PromptError, 'class 1 is int 3, not text'),
        ({'text': ('cat', '()')}, PromptError, 'no word in it'),
        ({'text': {'a': 'cat'}}, DatasetError, 'a label map has the form'),
        ({'text': 'cat', 'tokens_positive': [[[0, 3]]]}, DatasetError, '1 phrases'),
    ],
)
def test_records_that_cannot_be_asked_for(record, error, message):
    results = sample([0, 1], img_path='a.jpg') | record
    results = {key: value for key, value in results.items() if value is not None}
    with pytest.raises(error, match=message) as caught:
        RandomSamplingNegPos()(results)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'wrong, message',
    [
        ({'max_classes': 0}, 'max_classes'),
        ({'min_negatives': -1}, 'min_negatives'),
        ({'min_negatives': 3, 'num_sample_negative': 2}, 'min_negatives'),
        ({'num_sample_negative': -1}, 'num_sample_negative'),
        ({'full_sampling_prob': 1.5}, 'full_sampling_prob'),
        ({'control_prob': (0.5, 0.6, 0.0)}, 'control_prob'),
        ({'control_prob': (0.5,)}, 'control_prob'),
        ({'control_prob': (0, 0, 0.5, 0.5)}, 'fourth'),
        ({'max_tokens': 2}, 'no room'),
        ({'max_tokens': 5, 'prefix': 'object detection : '}, 'no room'),
        ({'separator': ''}, 'separator'),
        ({'separator': 'and'}, 'separator'),
        ({'prefix': 'find'}, 'prefix'),
        ({'vocabulary': 'cat'}, 'vocabulary'),
    ],
)
def test_arguments_must_make_sense(wrong, message):
    with pytest.raises(ConfigError, match=message):
        RandomSamplingNegPos(**wrong)
