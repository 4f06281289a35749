import importlib
import logging
import random

import pytest

from glip.errors import PromptError
from glip.text import noun_phrases
from glip.text.chunker import rule_noun_phrases

# The package exports the function of the same name.
module = importlib.import_module('glip.text.noun_phrases')

# Caption and its phrases, separated by '|'.
CAPTIONS = {
    'a man in red shirt with his black dog on the bicycle. two cars near the traffic '
    'light': 'a man|red shirt|his black dog|the bicycle|two cars|the traffic light',
    'a cat and a cat': 'a cat|a cat',
    'A woman wearing a striped shirt is holding a large umbrella.': 'A woman|a striped '
    'shirt|a large umbrella',
    'two dogs run across the snowy field': 'two dogs|the snowy field',
    'The man rides a horse on the beach': 'The man|a horse|the beach',
    'a black and white cow stands next to a wooden fence': 'a black and white cow|a '
    'wooden fence',
    'a parking meter beside the swimming pool': 'a parking meter|the swimming pool',
    'several people are sitting at a dining table with wine glasses': 'several people|'
    'a dining table|wine glasses',
    'a brightly colored bird perched on a branch': 'a brightly colored bird|a branch',
    'the boy who kicked the ball': 'the boy|the ball',
    'a teddy bear that wears a hat': 'a teddy bear|a hat',
    "a child's toy on the kitchen floor": "a child's toy|the kitchen floor",
    'a big, shiny, red fire truck parked in front of the station': 'a big, shiny, red '
    'fire truck|the station',
    '3 apples, 2 oranges and a knife': '3 apples|2 oranges|a knife',
    'there is a laptop on the desk': 'a laptop|the desk',
    'the left side of the street': 'the street',
    'a photo of a zebra': 'a zebra',
    'the dog is black': 'the dog',
    'A skateboarder jumps over a trash can while two girls watch': 'A skateboarder|a '
    'trash can|two girls',
    'find all raccoons': 'all raccoons',
    'two young men are playing soccer': 'two young men|soccer',
    'the person on the left wearing glasses': 'the person|glasses',
    'a very old building with broken windows': 'a very old building|broken windows',
    'riding a horse': 'a horse',
    'number 7 bus': 'number 7 bus',
    'a red \N{DOG FACE} on the re\u0301d': 'a red \N{DOG FACE}|the re\u0301d',
    'it is raining': '',
    '': '',
    '...': '',
}


@pytest.mark.parametrize(('caption', 'phrases'), CAPTIONS.items())
def test_builtin(caption, phrases):
    spans = noun_phrases(caption, backend='builtin')
    assert [caption[b:e] for b, e in spans] == (phrases.split('|') if phrases else [])


def test_any_text_gives_ordered_spans(chars):
    rng = random.Random(0)
    words = [
        'the',
        'red',
        'dog',
        'is',
        'running',
        'and',
        ',',
        'to',
        "man's",
        '7',
        'very',
    ]
    for _ in range(500):
        text = ''.join(rng.choices(chars, k=20)) + ' '.join(rng.choices(words, k=8))
        at = 0
        for begin, end in rule_noun_phrases(text):
            assert at <= begin < end <= len(text)
            assert text[begin:end] == text[begin:end].strip()
            at = end


def test_backend_by_environment(monkeypatch):
    monkeypatch.setattr(module, '_spacy', lambda: pytest.fail('spaCy was asked'))
    monkeypatch.setenv('GLIP_NOUN_PHRASES', 'builtin')
    assert noun_phrases('a cat') == [(0, 5)]


def test_builtin_stands_in_for_spacy(monkeypatch):
    monkeypatch.setattr(module, '_spacy', lambda: None)
    monkeypatch.delenv('GLIP_NOUN_PHRASES', raising=False)
    assert noun_phrases('a cat on a mat') == [(0, 5), (9, 14)]
    with pytest.raises(PromptError, match='not installed'):
        noun_phrases('a cat', backend='spacy')
    with pytest.raises(PromptError, match='builtin'):
        noun_phrases('a cat', backend='nltk')


def test_broken_spacy_is_told(monkeypatch, caplog):
    def broken(name):
        raise ValueError('numpy.dtype size changed')

    monkeypatch.setattr(module.importlib, 'import_module', broken)
    module._spacy.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert module._spacy() is None
    assert 'numpy.dtype size changed' in caplog.text
    module._spacy.cache_clear()


def test_spacy():
    module._spacy.cache_clear()
    if module._spacy() is None:
        pytest.skip('needs spacy and en_core_web_sm (pip extra nlp)')
    caption = 'He sees a man in front of the red car.'
    spans = noun_phrases(caption, backend='spacy')
    assert [caption[b:e] for b, e in spans] == ['a man', 'the red car']
