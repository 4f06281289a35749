"""A config in YAML or JSON is data: nothing in it runs, wherever it is named."""

import json

import pytest

from glip.apis import read_config
from glip.errors import ConfigError
from glip.paths import config_root


@pytest.fixture
def canary(tmp_path):
    """A folder that appears once something from a config ran."""
    canary = tmp_path / 'canary'
    (tmp_path / 'code.py').write_text(f'import os\nos.mkdir({str(canary)!r})\n')
    yield canary
    assert not canary.exists()


@pytest.mark.parametrize('tag', ['apply', 'new'])
@pytest.mark.parametrize('base', [False, True])
def test_tags_of_yaml_call_nothing(tmp_path, canary, tag, base):
    path = tmp_path / 'a.yaml'
    path.write_text(f'a: !!python/object/{tag}:os.mkdir ["{canary}"]\n')
    if base:
        path = tmp_path / 'b.yml'
        path.write_text('_base_: a.yaml\n')
    with pytest.raises(ConfigError, match='not a usable config'):
        read_config(path)


@pytest.mark.parametrize(
    'fields',
    [
        {'_base_': 'code.py'},
        {'_base_': ['./code.py']},
        {'_base_': '{{$NO_SUCH_VARIABLE:code.py}}'},
        {'_base_': 'mmdet::../../../../../../../{folder}/code.py'},
        {'custom_imports': {'imports': ['code']}},
        {'custom_imports': {'imports': 'code'}},
    ],
)
def test_data_reaches_no_code(tmp_path, canary, fields, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(fields).replace('{folder}', str(tmp_path)))
    with pytest.raises(ConfigError):
        read_config(path)


@pytest.mark.parametrize(
    'model',
    [
        {'type': 'os.mkdir', 'path': 'x'},
        {'backbone': [{'type': 'mmengine.mkdir_or_exist', 'dir_name': 'x'}]},
        {'type': 'mmengine.utils.mkdir_or_exist', 'dir_name': 'x'},
        {'constructor': 'code.Something'},
    ],
)
def test_types_of_data_are_names_of_classes(tmp_path, canary, model):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps({'model': model}))
    with pytest.raises(ConfigError, match='registered class'):
        read_config(path)


def test_data_may_inherit_from_data_and_from_what_is_installed(tmp_path):
    (tmp_path / 'a.json').write_text('{"x": 1, "model": {"type": "mmdet.ATSS"}}')
    base = config_root() / '_base_/default_runtime.py'
    (tmp_path / 'b.yaml').write_text(f'_base_: [a.json, "{base}"]\ny: 2020-01-02\n')
    cfg = read_config(tmp_path / 'b.yaml')
    assert cfg.x == 1 and cfg.default_scope == 'glip'
    (tmp_path / 'c.yaml').write_text('custom_imports: {imports: [glip]}\n')
    assert read_config(tmp_path / 'c.yaml').custom_imports.imports == ['glip']


def test_a_config_that_inherits_from_itself_is_one_line(tmp_path):
    (tmp_path / 'a.yaml').write_text('_base_: b.yaml\n')
    (tmp_path / 'b.yaml').write_text('_base_: a.yaml\n')
    with pytest.raises(ConfigError, match='back to itself'):
        read_config(tmp_path / 'a.yaml')


def test_code_is_run(tmp_path):
    (tmp_path / 'a.py').write_text('x = 1 + 1\n')
    assert read_config(tmp_path / 'a.py').x == 2
