"""``--cfg-options``: what is written is what the config gets."""

import argparse

import pytest
from mmengine.config import Config, DictAction

from glip.config import options
from glip.config.arguments import add_cfg_options
from glip.errors import ConfigError


def parsed(*words):
    parser = argparse.ArgumentParser()
    add_cfg_options(parser, 'x')
    return parser.parse_args(['--cfg-options', *words]).cfg_options


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('/data/My Drive/set', '/data/My Drive/set'),
        (' padded ', 'padded'),
        ("['raccoon dog']", ['raccoon dog']),
        ("['raccoon dog', \"man's hat\", cat]", ['raccoon dog', "man's hat", 'cat']),
        ("[man's hat, red cat]", ["man's hat", 'red cat']),
        ("['a, b', 'c']", ['a, b', 'c']),
        ("('a b','c d')", ('a b', 'c d')),
        ('"one, two"', 'one, two'),
        ('My Drive (1)/set', 'My Drive (1)/set'),
        ('a b,c d', ['a b', 'c d']),
        ("[('a b', 1), [c d]]", [('a b', 1), ['c d']]),
        ('a=b c', 'a=b c'),
        ('', ''),
    ],
)
def test_blanks_and_quotes(text, value):
    assert parsed(f'x={text}') == {'x': value}


@pytest.mark.parametrize(
    'text',
    [
        *('1', '-1', '1.5', '1e-4', 'true', 'False', 'None', 'none', 'abc', "'5'"),
        *('1,2,3', '[1,2]', '(1, 2)', '[(1,2,3),[a,b],c]', '[]', '()', '[1,]', '(1,)'),
        *('[(416,416),(448,448)]', '[a.b, c-d]', '"[1,2]"', 'a,', 'data/x.json'),
    ],
)
def test_all_else_is_read_as_mmengine_reads_it(text):
    (value,) = parsed(f'x={text}').values()
    expected = DictAction._parse_iterable(text)
    assert value == expected and type(value) is type(expected)


def test_several(capsys):
    assert parsed('a.b=1', 'c= x y') == {'a.b': 1, 'c': 'x y'}
    for wrong in ('abc', '=5'):
        with pytest.raises(ConfigError, match='KEY=VALUE'):
            parsed(wrong)


def test_options_that_nothing_reads_are_named(monkeypatch):
    lines = []
    monkeypatch.setattr(options, 'print_log', lambda line, *args: lines.append(line))
    pipeline = [dict(type='Resize', scale=(1, 2)), dict(type='Pack')]
    cfg = Config(
        dict(
            max_epochs=12,
            train_pipeline=pipeline,
            train_cfg=dict(max_epochs=12),
            train_dataloader=dict(dataset=dict(pipeline=pipeline)),
        )
    )
    options.warn_of_unread(cfg, {'train_cfg.max_epochs': 1, 'load_from': 'x'})
    assert not lines
    options.warn_of_unread(
        cfg, {'max_epochs': 1, 'train_pipeline.0.scale': 3, 'nothing.at.all': 1}
    )
    assert len(lines) == 3
    assert 'train_cfg.max_epochs?' in lines[0]
    assert 'train_dataloader.dataset.pipeline.0.scale?' in lines[1]
    assert 'nothing.at.all' in lines[2] and 'did you mean' not in lines[2]
