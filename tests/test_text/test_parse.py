import pytest

from glip.errors import PromptError
from glip.text import TextPrompt, parse_text
from glip.text.noun_phrases import reads_as_sentence


@pytest.fixture(autouse=True)
def _builtin(monkeypatch):
    monkeypatch.setenv('GLIP_NOUN_PHRASES', 'builtin')


@pytest.mark.parametrize(
    ('text', 'names'),
    [
        ('bench. car', ['bench', 'car']),
        ('bench . car . ', ['bench', 'car']),
        ('bench .car.', ['bench', 'car']),
        ('. bench\n.\ncar', ['bench', 'car']),
        ('bench.', ['bench']),
        ('bench... car', ['bench', 'car']),
        ('cat. dog. cat', ['cat', 'dog', 'cat']),
        ('node.js. c++ book', ['node.js', 'c++ book']),
        ('3.5 inch disk. a .45 gun', ['3.5 inch disk', 'a .45 gun']),
        ('Hair_Drier. zebra (animal)', ['Hair_Drier', 'zebra (animal)']),
        ('chest of drawers of oak wood. bed', ['chest of drawers of oak wood', 'bed']),
        ('pedestrian', ['pedestrian']),
        ('bench.car', ['bench.car']),
        ('cat\uff0cdog', ['cat', 'dog']),
        ('\u732b\u3002\u72d7\u3002', ['\u732b', '\u72d7']),
        ('cat\u3001red dog\uff1bcar', ['cat', 'red dog', 'car']),
        ('cat;dog ; red car', ['cat', 'dog', 'red car']),
        ('cat|dog | car', ['cat', 'dog', 'car']),
        ('cat\ndog\r\n\ncar\n', ['cat', 'dog', 'car']),
        ('cat;', ['cat']),
        ('cat/dog', ['cat/dog']),
    ],
)
def test_strings_of_classes(text, names):
    prompt = parse_text(text)
    assert list(prompt.names) == names
    assert prompt.is_class_prompt


@pytest.mark.parametrize(
    ('text', 'names'),
    [
        ('person riding a horse', ['person', 'a horse']),
        ('A man rides a horse.', ['A man', 'a horse']),
        (
            'a man in red shirt with his black dog on the bicycle. two cars near the '
            'traffic light',
            [
                'a man',
                'red shirt',
                'his black dog',
                'the bicycle',
                'two cars',
                'the traffic light',
            ],
        ),
        ('cat, dog', ['cat', 'dog']),
        ('cat,dog', ['cat', 'dog']),
    ],
)
def test_captions(text, names):
    prompt = parse_text(text)
    assert prompt.caption == text
    assert list(prompt.names) == names
    assert [prompt.caption[b:e] for ((b, e),) in prompt.spans] == names


@pytest.mark.parametrize(
    ('text', 'names'),
    [
        ('worker without helmet', ['worker']),
        ('a worker without a helmet or vest near a car', ['a worker', 'a car']),
        ('a man not wearing a hat', ['a man']),
        ("a man who isn't wearing a hat, with a dog", ['a man', 'a dog']),
        ('a table with no plates and no cups', ['a table']),
        ('a man without hat and a dog', ['a man', 'a dog']),
        ('a no parking sign on a wall', ['a no parking sign', 'a wall']),
        ('cars other than taxis', ['cars']),
        ('a man is not smiling beside a car', ['a man', 'a car']),
        ('no parking sign', ['no parking sign']),
    ],
)
def test_what_a_caption_rules_out_is_not_looked_for(text, names):
    assert list(parse_text(text).names) == names


def test_what_names_only_what_is_not_there():
    with pytest.raises(PromptError, match='name what to find'):
        parse_text('without helmet')
    assert parse_text(['without helmet']).names == ('without helmet',)


@pytest.mark.parametrize('text', ['cow.horse.sheep', 'cow/sheep', 'a goat/sheep. car'])
def test_names_that_are_glued_together_are_told(text, caplog):
    with caplog.at_level('WARNING', logger='glip.text'):
        parse_text(text + ' x' * 2)  # each text is told once
    assert 'one name' in caplog.text


@pytest.mark.parametrize(
    'text', ['3.5 inch disk', 'a.m.', 'cat. dog', 'c/o', '1/2 cup']
)
def test_names_that_are_one_are_not(text, caplog):
    with caplog.at_level('WARNING', logger='glip.text'):
        parse_text(text)
    assert not caplog.text


def test_reads_as_sentence():
    assert reads_as_sentence('a dog near the man')
    assert not reads_as_sentence('a dog near him')
    assert not reads_as_sentence('big old red brick house')
    assert not reads_as_sentence('a bottle of red wine')


@pytest.mark.parametrize('make', [list, tuple])
def test_lists_are_never_split(make):
    prompt = parse_text(make(['dr. who', 'a man on a horse. near a car', '$: coco']))
    assert prompt.num_entities == 3
    assert prompt.names[1] == 'a man on a horse. near a car'


def test_custom_entities():
    text = 'a man on a black horse. car'
    assert not parse_text(text).is_class_prompt
    prompt = parse_text(text, custom_entities=True)
    assert prompt.names == ('a man on a black horse', 'car')
    assert parse_text('cat and dog', custom_entities=True).names == ('cat and dog',)
    assert parse_text('bench. car', custom_entities=False).is_class_prompt


def test_caption_prompt():
    prompt = parse_text('dog. cat', caption_prompt={'dog': {'prefix': 'a '}})
    assert prompt.caption == 'a dog. cat'
    assert parse_text(['dog'], caption_prompt={'dog': {'name': 'puppy'}}).caption == (
        'puppy'
    )


def test_tokens_positive():
    prompt = parse_text('a cat. a dog', tokens_positive=[[[2, 5]], [[9, 12]]])
    assert prompt.names == ('cat', 'dog')
    assert parse_text('a cat. a dog', tokens_positive=-1).num_entities == 1
    with pytest.raises(PromptError, match='must be a string'):
        parse_text(['a cat'], tokens_positive=[[[2, 5]]])


def test_mapping():
    assert parse_text({'puppy': 'dog', 'hound': 'dog'}).names == ('dog',)


def test_prompt_passes_through():
    prompt = TextPrompt.from_classes(['cat'])
    assert parse_text(prompt) is prompt


@pytest.mark.parametrize(
    ('text', 'count', 'first'),
    [
        ('$: coco', 80, 'person'),
        ('$:COCO ', 80, 'person'),
        ('$: voc', 20, 'aeroplane'),
        ('$: lvis', 1203, 'aerosol_can'),
        ('$: objects365v1', 365, None),
    ],
)
def test_data_sets(text, count, first):
    prompt = parse_text(text)
    assert len(prompt.names) == prompt.num_entities == count
    assert first is None or prompt.names[0] == first


@pytest.mark.parametrize(
    'text', ['$: cocoo', '$:', '$: coco. cat', '$:' + ' ' * 100_000 + 'x']
)
def test_unknown_data_set_lists_the_known(text):
    with pytest.raises(PromptError, match=r'no data set .*coco.*lvis'):
        parse_text(text)


@pytest.mark.parametrize(
    'text',
    [
        *('', '  ', '\n', '.', '. . .', '!?', '$', 'cat. !!'),
        *([], {}, [''], ['cat', ' '], ['cat', 3], [['cat']], {'cat': None}),
        *(None, 5, b'cat', {'cat'}),
    ],
)
def test_nothing_to_find(text):
    with pytest.raises(PromptError) as caught:
        parse_text(text)
    assert '\n' not in str(caught.value)
