"""Captions of other pictures as words that are not in a picture."""

import copy
import json

import caption_sets
import numpy as np
import pytest
from mmengine.dataset import Compose
from PIL import Image

from glip.datasets import NegativeCaptions, ODVGDataset, RandomSamplingNegPos
from glip.datasets.captions import Captions
from glip.errors import ConfigError, DatasetError
from glip.text import Tokenizer, parse_text

TOKENIZER = Tokenizer()
OTHERS = [
    ('b.jpg', 'A red bus drives along a street.'),
    ('c.jpg', 'Two dogs play in the snow!'),
    ('d.jpg', 'Men in suits'),
    ('e.jpg', 'A cup of tea on a table'),
    ('f.jpg', 'Is this an owl?'),
]
CAPTION = 'A young man and his dog'
SPANS = (((0, 11),), ((16, 23),), ((0, 11), (16, 23)))


def sample(source=OTHERS, caption=CAPTION, spans=SPANS, **more):
    return {
        'img_path': 'a.jpg',
        'sample_idx': 0,
        'dataset_mode': 'VG',
        'text': caption,
        'tokens_positive': spans,
        'captions': [('a.jpg', caption), *source],
        'gt_bboxes_labels': np.array([0, 1, 2]),
        'gt_bboxes': np.zeros((3, 4), dtype=np.float32),
    } | more


def words(results):
    text = results['text']
    return [[text[b:e] for b, e in entity] for entity in results['tokens_positive']]


def all_of(avoid='heads', **args):
    return NegativeCaptions(prob=1.0, full_sampling_prob=1.0, avoid=avoid, **args)


def test_phrases_move_with_their_caption():
    starts = set()
    for _ in range(60):
        results = NegativeCaptions(prob=1.0, avoid=None)(sample())
        assert words(results) == [
            ['A young man'],
            ['his dog'],
            ['A young man', 'his dog'],
        ]
        assert results['gt_bboxes_labels'].tolist() == [0, 1, 2]
        assert results['text'].count(CAPTION) == 1 and 'captions' not in results
        prompt = parse_text(results['text'], tokens_positive=results['tokens_positive'])
        assert all(TOKENIZER.encode(prompt).entity_tokens)
        starts.add(results['text'].index(CAPTION))
    assert len(starts) > 10


def test_captions_are_whole_and_apart():
    texts = {caption for _, caption in OTHERS} | {CAPTION}
    for _ in range(20):
        rest, used = all_of(None)(sample())['text'], []
        while rest:
            first = next(caption for caption in texts if rest.startswith(caption))
            rest = rest[len(first) :]
            if rest:
                joint = '. ' if first[-1].isalpha() else ' '
                assert rest.startswith(joint)
                rest = rest[len(joint) :]
            used.append(first)
        assert len(set(used)) == len(used) > 1 and CAPTION in used


def test_own_caption_comes_first_without_shuffling():
    results = all_of(None, shuffle=False)(sample())
    assert results['text'].startswith(CAPTION + '. ')
    assert results['tokens_positive'] == SPANS


@pytest.mark.parametrize(
    'avoid, others',
    [('heads', 'bef'), ('phrases', 'bdef'), (None, 'bcdefgh')],
)
def test_what_the_picture_shows_is_not_said_to_be_absent(avoid, others):
    source = [
        *OTHERS,
        ('g.jpg', 'The young men smile'),
        ('h.jpg', 'A dog'),
    ]
    seen = set()
    for _ in range(40):
        text = all_of(avoid)(sample(source))['text']
        seen |= {name[0] for name, caption in source if caption in text}
    assert seen == set(others)


def test_heads_of_longer_phrases():
    caption = 'a group of old people with a wooden chair'
    source = [
        ('b.jpg', text) for text in ('a person', 'two chairs', 'a group', 'old wood')
    ]
    spans = (((0, len(caption)),),)
    for _ in range(20):
        text = all_of()(sample(source, caption, spans))['text']
        assert text in (caption, f'{caption}. old wood', f'old wood. {caption}')


def test_other_captions_of_the_same_picture_are_not_taken():
    source = [('a.jpg', 'somebody outside')] * 5 + [('b.jpg', CAPTION.upper() + '!')]
    for _ in range(10):
        assert all_of(None)(sample(source))['text'] == CAPTION


def test_how_many():
    source = [(f'{i}.jpg', f'w{i}') for i in range(300)]

    def numbers(**args):
        np.random.seed(0)
        transform = NegativeCaptions(shuffle=False, **args)
        texts = [transform(sample(source))['text'] for _ in range(400)]
        return np.array([text.count('. w') for text in texts])

    never = numbers(prob=0.0)
    assert set(never) == {0}
    full = numbers(prob=1.0, num_captions=20, full_sampling_prob=1.0)
    assert set(full) == {20}
    some = numbers(prob=0.5, num_captions=4)
    assert set(some) == {0, 1, 2, 3, 4}
    assert abs((some == 0).mean() - 0.5) < 0.08


@pytest.mark.parametrize('max_tokens', [8, 9, 12, 20, 33, 256])
def test_budget_holds_and_the_own_caption_stays(max_tokens):
    for _ in range(20):
        results = all_of(None, max_tokens=max_tokens)(sample())
        assert CAPTION in results['text']
        assert len(TOKENIZER.tokenize(results['text'])[0]) + 2 <= max_tokens
    long = all_of(None, max_tokens=5)(sample())
    assert long['text'] == CAPTION


def test_samples_of_classes_pass():
    record = sample(dataset_mode='OD', text=('cat', 'dog'))
    assert all_of()(record)['text'] == ('cat', 'dog')
    drawn = RandomSamplingNegPos()(sample(dataset_mode='OD', text=('cat', 'dog', 'x')))
    text = drawn['text']
    del drawn['captions']
    assert all_of()(drawn)['text'] == text


def test_captions_of_a_file(tmp_path):
    file = tmp_path / 'captions.txt'
    file.write_text('an owl\n\n the sea \n')
    record = sample()
    del record['captions'], record['sample_idx']
    text = all_of(captions_file=str(file), shuffle=False)(record)['text']
    assert text in (f'{CAPTION}. an owl. the sea', f'{CAPTION}. the sea. an owl')
    file.write_text('\n')
    with pytest.raises(DatasetError, match='no caption'):
        NegativeCaptions(captions_file=str(file))
    with pytest.raises(DatasetError, match='nowhere.txt cannot be read'):
        NegativeCaptions(captions_file=str(tmp_path / 'nowhere.txt'))


def test_nothing_to_draw_from():
    record = sample()
    del record['captions']
    with pytest.raises(ConfigError, match='a.jpg: .* give captions_file'):
        NegativeCaptions()(record)


@pytest.mark.parametrize(
    'wrong',
    [{'num_captions': 0}, {'prob': 2}, {'full_sampling_prob': -1}, {'avoid': 'words'}],
)
def test_arguments_must_make_sense(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        NegativeCaptions(**wrong)


def dataset(folder, pipeline=(), size=6, **args):
    """Sentences about things, one picture of classes among them."""
    folder.mkdir(exist_ok=True)
    things = 'cat dog owl bus cup sea sun car hat pen'.split()
    lines = []
    for i in range(size):
        Image.new('RGB', (40, 30)).save(folder / f'{i}.png')
        head = {'filename': f'{i}.png', 'width': 40, 'height': 30}
        region = {
            'bbox': [1, 1, 20, 20],
            'phrase': things[i],
            'tokens_positive': [[4, 7]],
        }
        part = {'grounding': {'caption': f'one {things[i]} here', 'regions': [region]}}
        if i == size - 1:
            part = {'detection': {'instances': [{'bbox': [1, 1, 9, 9], 'label': 0}]}}
        lines.append(json.dumps(head | part))
    (folder / 'data.jsonl').write_text('\n'.join(lines))
    (folder / 'map.json').write_text('{"0": "pen", "1": "sea"}')
    return ODVGDataset(
        data_root=str(folder),
        ann_file='data.jsonl',
        label_map_file='map.json',
        data_prefix={'img': ''},
        pipeline=list(pipeline),
        **args,
    )


def test_captions_of_a_data_set(tmp_path):
    data = dataset(tmp_path)
    captions = data.get_data_info(1)['captions']
    assert isinstance(captions, Captions) and len(captions) == 6
    assert captions[1] == ('1.png', 'one dog here')
    assert captions[5] == ('5.png', '')  # a sample of classes
    assert 'captions' not in data.get_data_info(5)
    assert copy.deepcopy(captions) is captions
    part = dataset(tmp_path, indices=2).get_data_info(0)['captions']
    assert [caption for _, caption in part] == ['one cat here', 'one dog here']


@pytest.mark.parametrize('order', ['captions first', 'budget first'])
def test_both_kinds_through_one_pipeline(tmp_path, order):
    middle = [
        {'type': 'NegativeCaptions', 'prob': 1.0, 'max_tokens': 30},
        {'type': 'RandomSamplingNegPos', 'max_tokens': 30},
    ]
    if order == 'budget first':
        middle.reverse()
    pipeline = [
        {'type': 'LoadImageFromFile'},
        {'type': 'LoadAnnotations', 'with_bbox': True},
        *middle,
        {'type': 'PackDetInputs'},
    ]
    data = dataset(tmp_path, pipeline, size=8)
    texts = set()
    for i in range(8):
        for seed in range(5):
            np.random.seed(seed)
            result = data[i]['data_samples']
            entity = result.tokens_positive[result.gt_instances.labels[0]]
            phrase = ' '.join(result.text[b:e] for b, e in entity)
            assert phrase == 'cat dog owl bus cup sea sun pen'.split()[i]
            assert len(TOKENIZER.tokenize(result.text)[0]) + 2 <= 30
            assert result.text.count(phrase) == 1
            texts.add(result.text)
            np.random.seed(seed)
            # What was loaded before makes no difference.
            assert data[i]['data_samples'].text == result.text
    assert len(texts) > 20


def test_many_captions(tmp_path):
    root = caption_sets.write(tmp_path, pictures=30)
    data = ODVGDataset(
        data_root=str(root),
        ann_file='annotations/grounding_odvg_val2017.jsonl',
        data_prefix={'img': 'val2017/'},
    )
    pipeline = Compose([NegativeCaptions(prob=1.0, full_sampling_prob=1.0)])
    added = []
    for i in range(0, len(data), 3):
        before = data.get_data_info(i)
        after = pipeline(data.get_data_info(i))
        spans = zip(before['tokens_positive'], after['tokens_positive'], strict=True)
        for old, new in spans:
            assert [before['text'][b:e] for b, e in old] == [
                after['text'][b:e] for b, e in new
            ]
        assert len(TOKENIZER.tokenize(after['text'])[0]) + 2 <= 256
        added.append(len(after['text']) / len(before['text']))
    assert np.median(added) > 5
