"""What is declared beside the code agrees with the code."""

import importlib.metadata
import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import glip
from glip import paths
from glip.checkpoints import zoo

_ROOT = Path(__file__).resolve().parent.parent


def _requirements(name):
    lines = (_ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    lines = [line.partition('#')[0].strip() for line in lines]
    return [Requirement(line) for line in lines if line and not line.startswith('-r')]


def test_model_index_is_the_zoo():
    index = yaml.safe_load((_ROOT / 'model-index.yml').read_text())
    (metafile,) = index['Import']
    models = yaml.safe_load((_ROOT / metafile).read_text())['Models']
    listed = {model['Alias']: (model['Config'], model['Weights']) for model in models}
    named = {
        entry.name: (
            f'configs/glip/{entry.config}',
            entry.url or entry.path.relative_to(_ROOT).as_posix(),
        )
        for entry in zoo.entries()
    }
    assert listed == named
    assert len(listed) == 11
    for model in models:
        assert (_ROOT / model['Config']).is_file()
        assert model['Name'] == Path(model['Config']).stem


def test_every_config_of_the_zoo_is_there():
    for entry in zoo.entries():
        assert (paths.config_root() / 'glip' / entry.config).is_file()


def test_this_environment_has_what_is_required():
    for requirement in _requirements('runtime'):
        installed = importlib.metadata.version(requirement.name)
        assert requirement.specifier.contains(installed, prereleases=True), requirement


def test_no_upper_bounds():
    for name in ('runtime', 'nlp', 'page', 'serve', 'stream', 'tests', 'lint', 'docs'):
        for requirement in _requirements(name):
            operators = {part.operator for part in requirement.specifier}
            assert operators <= {'>='}, requirement


def test_version():
    assert re.fullmatch(r'\d+\.\d+\.\d+', glip.__version__)


def test_type_checkers_read_the_annotations_of_the_package():
    assert (Path(glip.__file__).parent / 'py.typed').is_file()


def test_lazy_exports():
    from glip.apis import Detections, load
    from glip.errors import GLIPError
    from glip.text import TextPrompt

    assert glip.load is load
    assert glip.Detections is Detections
    assert glip.TextPrompt is TextPrompt
    assert glip.GLIPError is GLIPError
    assert set(glip.__all__) <= set(dir(glip))
    with pytest.raises(AttributeError, match='nonsense'):
        _ = glip.nonsense
