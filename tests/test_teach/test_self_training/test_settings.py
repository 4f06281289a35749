"""What a config may say of self-training."""

import pytest
from mmengine.config import Config

from glip.errors import ConfigError
from glip.teach.self_training import SelfTraining


@pytest.fixture
def captions(tmp_path):
    file = tmp_path / 'captions.jsonl'
    file.write_text('')
    return str(file)


def test_screens_stand_beside_the_other_keys(captions):
    cfg = Config(
        dict(self_training=dict(captions=captions, rounds=2, score_thr=0.3, min_size=9))
    )
    settings = SelfTraining.of(cfg)
    assert settings.rounds == 2
    assert settings.screens.score_thr == 0.3 and settings.screens.min_size == 9
    assert settings.screens.nms_thr == SelfTraining(captions='x').screens.nms_thr


@pytest.mark.parametrize(
    ('wrong', 'named'),
    [
        (dict(round=2), 'round'),
        (dict(rounds=0), 'rounds'),
        (dict(rounds=1.5), 'rounds'),
        (dict(share=1.0), 'share'),
        (dict(share='half'), 'share'),
        (dict(start='base'), 'start'),
        (dict(captions=''), 'captions'),
        (dict(captions='nowhere.json'), 'nowhere.json'),
        (dict(captions=['no/where-*.tar']), 'where'),
        (dict(data_root='no/where'), 'data_root'),
        (dict(teacher_config='x.py'), 'teacher_config'),
        (dict(teacher='x', teacher_config='x.py', start='teacher'), 'teacher_config'),
        (dict(dataset=[]), 'dataset'),
        (dict(tests='x.py'), 'tests'),
    ],
)
def test_values_without_meaning_are_named_in_one_line(captions, wrong, named):
    cfg = Config(dict(self_training={'captions': captions, **wrong}))
    with pytest.raises(ConfigError, match=named) as caught:
        SelfTraining.of(cfg)
    assert '\n' not in str(caught.value)


def test_a_config_without_the_key_is_no_config_for_it():
    with pytest.raises(ConfigError, match='self_training'):
        SelfTraining.of(Config(dict(model=dict())))
