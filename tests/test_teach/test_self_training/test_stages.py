"""Finished stages are kept, interrupted ones are not."""

import pytest

from glip.errors import ConfigError, DatasetError
from glip.teach.self_training.stages import FILE, Stages

ABOUT = dict(model=dict(type='GLIP'), lr=1e-3)


def test_a_finished_stage_is_not_worked_on_again(tmp_path):
    calls = []

    def work():
        calls.append(1)
        return {'AP': 0.5}

    assert Stages(tmp_path).run('a', work, ABOUT) == {'AP': 0.5}
    assert Stages(tmp_path).run('a', work, ABOUT) == {'AP': 0.5}
    assert len(calls) == 1


def test_an_interrupted_stage_is_begun_again(tmp_path):
    def stopped():
        raise KeyboardInterrupt

    stages = Stages(tmp_path / 'new')
    stages.run('a', lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        stages.run('b', stopped)
    later = Stages(tmp_path / 'new')
    assert later.run('b', lambda: 2) == 2
    assert later.run('a', lambda: 3) == 1


def test_a_stage_done_with_other_values_is_refused_by_what_differs(tmp_path):
    Stages(tmp_path).run('a', lambda: 1, ABOUT)
    with pytest.raises(ConfigError, match='lr'):
        Stages(tmp_path).run('a', lambda: 2, dict(ABOUT, lr=1e-4))
    with pytest.raises(ConfigError, match='seed'):
        Stages(tmp_path).run('a', lambda: 2, dict(ABOUT, seed=0))
    assert Stages(tmp_path).run('b', lambda: 2, dict(ABOUT, seed=0)) == 2


@pytest.mark.parametrize('content', ['{"a": ', '[1]', '{"a": 1}'])
def test_a_damaged_record_is_an_error(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises((ConfigError, DatasetError), match=FILE):
        Stages(tmp_path)
