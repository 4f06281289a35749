import time

import pytest

from glip.errors import PromptError
from glip.text import TextPrompt, dataset_classes, parse_text, split_prompt


def covered(parts):
    return [label for part in parts for label in part.prompt.labels]


def test_one_prompt_if_it_fits(bert):
    prompt = TextPrompt.from_classes(['cat', 'dog'])
    (part,) = split_prompt(prompt, bert)
    assert part.prompt is prompt
    assert part == bert.encode(prompt)


@pytest.mark.parametrize('max_tokens', [24, 64, 256])
@pytest.mark.parametrize('seed', range(4))
def test_every_class_once_and_in_order(bert, random_names, seed, max_tokens):
    names = random_names(seed, 150)
    prompt = TextPrompt.from_classes(names)
    parts = split_prompt(prompt, bert, max_tokens=max_tokens)
    assert covered(parts) == list(prompt.labels)
    for part in parts:
        assert part.prompt.names == tuple(names)
        assert len(part.input_ids) <= max_tokens
        assert all(part.entity_tokens)
    # As full as it gets: the next class would not have fitted.
    first = [len(part.prompt.labels) for part in parts]
    begin = 0
    for count in first[:-1]:
        wider = prompt.subset(range(begin, begin + count + 1))
        with pytest.raises(PromptError):
            bert.encode(wider, max_tokens=max_tokens)
        begin += count


def test_chunk_size(bert):
    prompt = TextPrompt.from_classes([f'thing {i}' for i in range(95)])
    parts = split_prompt(prompt, bert, chunk_size=40)
    assert [part.prompt.num_entities for part in parts] == [40, 40, 15]
    assert covered(parts) == list(range(95))
    assert len(split_prompt(prompt, bert, chunk_size=1)) == 95


def test_mapping_is_split_too(bert):
    prompt = parse_text({f'word {i}': f'class {i % 3}' for i in range(200)})
    parts = split_prompt(prompt, bert, max_tokens=50)
    assert covered(parts) == [i % 3 for i in range(200)]
    assert all(part.prompt.names == prompt.names for part in parts)


def test_words_around_a_name_move_with_it(bert):
    prompt = TextPrompt.from_classes(
        ['dog', 'cat'], caption_prompt={'cat': {'prefix': 'one ', 'suffix': ' indoors'}}
    )
    parts = split_prompt(prompt, bert, chunk_size=1)
    assert [part.prompt.caption for part in parts] == ['dog', 'one cat indoors']
    assert parts[1].entity_tokens == ((2,),)


def test_a_name_over_the_budget_is_named(bert):
    long = 'very ' * 300 + 'long name'
    with pytest.raises(PromptError, match=r"the name 'very very .* has 304 tokens"):
        split_prompt(TextPrompt.from_classes(['cat', long]), bert)
    with pytest.raises(PromptError, match='the name'):
        split_prompt(TextPrompt.from_classes([long]), bert)


def test_captions_are_not_split(bert):
    caption = TextPrompt.from_spans('a man with a dog ' * 60, [[[2, 5]]])
    with pytest.raises(PromptError, match='the caption has 302'):
        split_prompt(caption, bert)
    (part,) = split_prompt(TextPrompt.from_caption('a man with a dog'), bert)
    assert part.entity_tokens == ((1, 2), (4, 5))


def test_lvis(bert):
    names = dataset_classes('lvis')
    prompt = TextPrompt.from_classes(names)
    begin = time.perf_counter()
    parts = split_prompt(prompt, bert)
    assert time.perf_counter() - begin < 1
    assert covered(parts) == list(range(1203))
    assert all(tokens for part in parts for tokens in part.entity_tokens)
    assert len(split_prompt(prompt, bert, chunk_size=40)) == 31
