import copy
import logging
import pickle

import official
import pytest

from glip.errors import PromptError
from glip.text import TextPrompt
from glip.text.names import clean_name
from glip.text.prompt import _warn_once


def slices(prompt):
    return [[prompt.caption[b:e] for b, e in spans] for spans in prompt.spans]


class TestFromClasses:
    def test_joins_with_no_separator_at_the_end(self):
        prompt = TextPrompt.from_classes(['person', 'traffic light'])
        assert prompt.caption == 'person. traffic light'
        assert prompt.spans == (((0, 6),), ((8, 21),))
        assert prompt.labels == (0, 1)
        assert prompt.names == ('person', 'traffic light')

    def test_other_separator(self):
        prompt = TextPrompt.from_classes(['a', 'b'], separator=' . ')
        assert prompt.caption == 'a . b'
        assert slices(prompt) == [['a'], ['b']]

    def test_duplicates_share_the_first_entity(self):
        prompt = TextPrompt.from_classes(['cat', 'dog', 'cat'])
        assert prompt.caption == 'cat. dog'
        assert prompt.labels == (0, 1)
        assert prompt.names == ('cat', 'dog', 'cat')

    def test_names_that_clean_to_the_same_stay_apart(self, caplog):
        _warn_once.cache_clear()
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                prompt = TextPrompt.from_classes(['bow_(weapon)', 'Bow (ribbon)'])
        assert prompt.caption == 'bow . Bow '
        assert prompt.labels == (0, 1)
        assert len(caplog.records) == 1
        assert "'bow_(weapon)' and 'Bow (ribbon)'" in caplog.text

    def test_names_inside_other_names(self):
        names = ['car', 'car wash', 'a', 'cart', 'car']
        assert slices(TextPrompt.from_classes(names)) == [
            ['car'],
            ['car wash'],
            ['a'],
            ['cart'],
        ]

    def test_a_name_with_a_separator_in_it_is_not_split(self):
        prompt = TextPrompt.from_classes(['dr. who', 'cat'])
        assert slices(prompt) == [['dr. who'], ['cat']]

    @pytest.mark.parametrize('seed', range(20))
    def test_spans_of_random_names(self, random_names, seed):
        names = random_names(seed, 60)
        prompt = TextPrompt.from_classes(names)
        assert prompt.names == tuple(names)
        unique = list(dict.fromkeys(names))
        assert slices(prompt) == [[clean_name(name)] for name in unique]
        assert [names[label] for label in prompt.labels] == unique
        assert prompt.caption == '. '.join(clean_name(name) for name in unique)

    @pytest.mark.parametrize(
        ('names', 'says'),
        [
            ([], 'no class names'),
            ([''], 'no word'),
            (['cat', '  '], 'class name 2 of 2'),
            (['cat', '...'], 'no word'),
            (['cat', 5], 'int 5, not text'),
            (['cat', None], 'not text'),
            (['\ud800 cat'], 'not valid unicode'),
            ('cat', 'must be a list'),
        ],
    )
    def test_bad_names(self, names, says):
        with pytest.raises(PromptError, match=says):
            TextPrompt.from_classes(names)


class TestCaptionPrompt:
    def test_only_the_name_stands_for_the_class(self):
        prompt = TextPrompt.from_classes(
            ['dog', 'light'],
            caption_prompt={
                'dog': {'prefix': 'a ', 'name': 'dog', 'suffix': ' near the man'},
                'light': {'name': 'traffic light'},
            },
        )
        assert prompt.caption == 'a dog near the man. traffic light'
        assert slices(prompt) == [['dog'], ['traffic light']]
        assert prompt.names == ('dog', 'light')

    @pytest.mark.parametrize('key', ['bird_feeder', 'bird feeder'])
    def test_keys_may_be_given_or_cleaned_names(self, key):
        prompt = TextPrompt.from_classes(
            ['bird_feeder'], caption_prompt={key: {'suffix': ' of wood'}}
        )
        assert prompt.caption == 'bird feeder of wood'
        assert slices(prompt) == [['bird feeder']]

    def test_unused_keys_are_told(self, caplog):
        _warn_once.cache_clear()
        TextPrompt.from_classes(['dog'], caption_prompt={'dgo': {'prefix': 'a '}})
        assert 'dgo' in caplog.text

    @pytest.mark.parametrize(
        'caption_prompt',
        [
            {'dog': 'a dog'},
            {'dog': {'prefx': 'a '}},
            {'dog': {'prefix': 1}},
            {'dog': {'name': ' '}},
            ['dog'],
        ],
    )
    def test_bad_overrides(self, caption_prompt):
        with pytest.raises(PromptError, match='caption_prompt'):
            TextPrompt.from_classes(['dog'], caption_prompt=caption_prompt)

    def test_as_recorded_from_the_original(self):
        for query in official.figures('data')['queries']:
            names = query['categories']
            overrides = dict(zip(names, query.get('prompt', []), strict=False))
            prompt = TextPrompt.from_classes(names, caption_prompt=overrides)
            assert prompt.caption == query['caption']


class TestFromMapping:
    def test_several_prompts_feed_one_class(self):
        prompt = TextPrompt.from_mapping(
            {'puppy': 'dog', 'tabby_cat': 'cat', 'hound': 'dog'}
        )
        assert prompt.caption == 'puppy. tabby cat. hound'
        assert prompt.names == ('dog', 'cat')
        assert prompt.labels == (0, 1, 0)
        assert slices(prompt) == [['puppy'], ['tabby cat'], ['hound']]

    @pytest.mark.parametrize(
        'mapping', [{}, {'': 'dog'}, {'dog': ''}, {1: 'dog'}, {'dog': 1}, {'.': 'a'}]
    )
    def test_bad_mappings(self, mapping):
        with pytest.raises(PromptError):
            TextPrompt.from_mapping(mapping)


class TestFromSpans:
    def test_entities_keep_their_spans(self):
        caption = ' a man in red shirt'
        prompt = TextPrompt.from_spans(caption, [[[1, 6], [10, 19]], [(14, 19)]])
        assert prompt.caption == caption
        assert slices(prompt) == [['a man', 'red shirt'], ['shirt']]
        assert prompt.names == ('a man / red shirt', 'shirt')
        assert prompt.labels == (0, 1)
        assert not prompt.is_class_prompt

    def test_minus_one_is_the_whole_caption(self):
        prompt = TextPrompt.from_spans('a red car', -1)
        assert slices(prompt) == [['a red car']]
        assert prompt.names == ('a red car',)

    def test_mapping_of_labels(self):
        prompt = TextPrompt.from_spans('cat. dog', {1: [[5, 8]], 0: [[0, 3]]})
        assert slices(prompt) == [['cat'], ['dog']]

    @pytest.mark.parametrize(
        'spans',
        [
            [],
            0,
            -2,
            'cat',
            [[]],
            [[0, 3]],
            [[[0]]],
            [[[0, 1, 2]]],
            [[[0, 1.5]]],
            [[['0', '3']]],
            [[[3, 3]]],
            [[[3, 1]]],
            [[[-1, 2]]],
            [[[0, 9]]],
            [[[3, 4]]],
            {1: [[0, 3]]},
            {'x': [[0, 3]]},
        ],
    )
    def test_bad_spans(self, spans):
        with pytest.raises(PromptError):
            TextPrompt.from_spans('cat dog', spans)

    @pytest.mark.parametrize('caption', ['', '  ', '...', None, ['cat']])
    def test_bad_captions(self, caption):
        with pytest.raises(PromptError):
            TextPrompt.from_spans(caption, -1)


class TestFromCaption:
    @pytest.fixture(autouse=True)
    def _builtin(self, monkeypatch):
        monkeypatch.setenv('GLIP_NOUN_PHRASES', 'builtin')

    def test_every_occurrence_is_an_entity(self):
        prompt = TextPrompt.from_caption('a cat and a cat')
        assert prompt.spans == (((0, 5),), ((10, 15),))
        assert prompt.labels == (0, 1)
        assert prompt.names == ('a cat', 'a cat')
        assert not prompt.is_class_prompt

    @pytest.mark.parametrize(
        'text',
        [
            'pedestrian',
            'hot air balloon',
            'the red car',
            'C++ book',
            'bus stops',
            'zebra_(animal)',
            'bow (weapon)',
            '"traffic light"',
            '#1 foam finger',
            'node.js',
            '一只猫',
            '🐶',
        ],
    )
    def test_one_phrase_is_one_class(self, text):
        prompt = TextPrompt.from_caption(f' {text} ')
        assert prompt.names == (text,)
        assert slices(prompt) == [[clean_name(text)]]

    def test_no_phrase_found(self):
        assert TextPrompt.from_caption('it is raining!').names == ('it is raining',)

    @pytest.mark.parametrize('caption', ['', ' ', '?!', 3])
    def test_bad_captions(self, caption):
        with pytest.raises(PromptError):
            TextPrompt.from_caption(caption)


class TestValue:
    def test_equal_hashable_and_copied(self):
        prompt = TextPrompt.from_classes(['a', 'b'])
        assert prompt == TextPrompt.from_classes(('a', 'b'))
        assert hash(prompt) == hash(TextPrompt.from_classes(['a', 'b']))
        assert pickle.loads(pickle.dumps(prompt)) == prompt
        assert copy.deepcopy(prompt) == prompt

    def test_subset_keeps_labels_and_names(self):
        prompt = TextPrompt.from_mapping({'puppy': 'dog', 'cat': 'cat', 'pup': 'dog'})
        part = prompt.subset([2, 1])
        assert part.caption == 'pup. cat'
        assert part.labels == (0, 1)
        assert part.names == prompt.names
        assert slices(part) == [['pup'], ['cat']]
        assert prompt.subset(range(3)) == prompt

    def test_a_caption_has_no_subset(self):
        with pytest.raises(PromptError, match='caption'):
            TextPrompt.from_spans('a cat', -1).subset([0])

    @pytest.mark.parametrize(
        ('spans', 'labels', 'names'),
        [
            ((((0, 1),),), (), ('a',)),
            ((((0, 1),),), (1,), ('a',)),
            ((((0, 9),),), (0,), ('a',)),
        ],
    )
    def test_parts_must_belong_together(self, spans, labels, names):
        with pytest.raises(PromptError):
            TextPrompt('cat', spans, labels, names)


class TestByLabel:
    def test_a_repeated_class_name_shares_what_the_first_has(self):
        prompt = TextPrompt.from_classes(['cat', 'dog', 'cat'])
        cat, dog = prompt.spans
        assert prompt.by_label(prompt.spans) == (cat, dog, cat)

    def test_texts_of_one_class_are_joined_in_order(self):
        prompt = TextPrompt.from_mapping({'kitten': 'pet', 'car': 'car', 'pup': 'pet'})
        assert prompt.by_label([[3], [2], [1, 0]]) == ((3, 1, 0), (2,))

    def test_phrases_that_read_the_same_stay_two(self):
        prompt = TextPrompt.from_spans('a man and a man', [[[0, 5]], [[10, 15]]])
        assert prompt.by_label([[1], [2]]) == ((1,), (2,))
