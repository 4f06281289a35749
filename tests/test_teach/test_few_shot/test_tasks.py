"""Tasks and their trainings are those of the original."""

import pytest
from mmengine.config import Config

from glip.config import resolve
from glip.config.custom_sets import CustomSet
from glip.errors import ConfigError
from glip.paths import config_root
from glip.teach.few_shot.sets import FewShotSet
from glip.teach.few_shot.tasks import (
    Task,
    list_tasks,
    parse_shots,
    plan_for,
    test_config,
    training_config,
)

NANO = config_root() / 'glip' / 'glip_nano_csp_minilm.py'
TINY = config_root() / 'glip' / 'glip_atss_swin-t_c_fpn_dyhead_pretrain_obj365-goldg.py'
test_config.__test__ = False


def of_split(split):
    return CustomSet('cats', 'coco', 'data/cats', f'{split}.json', split)


CATS = FewShotSet('cats', of_split('train'), of_split('valid'))


def config_of(path, shots=1, tuning='full', **options):
    base = Config.fromfile(path)
    task = Task(CATS, shots, tuning, 30)
    return training_config(base, task, of_split('drawn'), CATS.val, **options)


@pytest.mark.parametrize(
    ('shots', 'copies', 'patience', 'stop_after'),
    [(1, 8, 3, 8), (3, 4, 3, 8), (5, 2, 3, 8), (10, 1, 3, 8), ('all', 1, 2, 4)]
    + [(2, 8, 3, 8), (7, 2, 3, 8), (30, 1, 3, 8)],
)
def test_plans(shots, copies, patience, stop_after):
    plan = plan_for(shots)
    assert (plan.copies, plan.patience) == (copies, patience)
    assert (plan.stop_after, plan.max_epochs) == (stop_after, 200)
    cfg = resolve(config_of(NANO, shots))
    (plateau,) = cfg.param_scheduler
    assert (plateau.type, plateau.patience) == ('ReduceOnPlateauLR', patience)
    assert cfg.custom_hooks[-1].patience == stop_after
    assert cfg.train_dataloader.batch_size == 4
    dataset = cfg.train_dataloader.dataset
    assert dataset.get('repeats', [1]) == [copies]


def test_shots_are_numbers_and_all():
    assert parse_shots(['all', '10', '1', '0', '1']) == [0, 1, 10, 'all']
    for word in ('few', '-1', '1.5', '²'):
        with pytest.raises(ConfigError):
            parse_shots([word])


def test_few_pictures_come_first_and_what_is_not_drawn_once():
    dogs = FewShotSet('dogs', CATS.train, CATS.val)
    tasks = list_tasks([CATS, dogs], ['all', 0, 1], ['full', 'prompt'], [3, 30])
    assert [t.folder for t in tasks[:6]] == [
        'cats/zero_shot',
        'dogs/zero_shot',
        'cats/full/1_shot_seed3',
        'cats/prompt/1_shot_seed3',
        'cats/full/1_shot_seed30',
        'cats/prompt/1_shot_seed30',
    ]
    assert [t.folder for t in tasks[-2:]] == [
        'dogs/full/all_shot_seed3',
        'dogs/prompt/all_shot_seed3',
    ]
    assert len(tasks) == 2 + 8 + 4


def test_data_schedule_and_seed_replace_those_of_the_config():
    base = Config.fromfile(TINY)
    before = base.pretty_text
    cfg = config_of(TINY, max_epochs=7)
    assert base.pretty_text == before
    assert not any(hook['type'] == 'EMAHook' for hook in cfg.custom_hooks)
    cfg = resolve(cfg)
    assert cfg.train_cfg.max_epochs == 7 and cfg.randomness.seed == 30
    assert cfg.optim_wrapper.optimizer.weight_decay == 0.05
    assert cfg.optim_wrapper.optimizer.lr == 1e-4  # that of the config
    assert cfg.test_evaluator.ann_file == 'data/cats/valid.json'
    assert cfg.default_hooks.checkpoint.save_best == 'coco/bbox_mAP'


def test_rates_of_a_mode():
    for tuning, lr in (('prompt', 0.05), ('linear_probe', 2e-3)):
        cfg = resolve(config_of(NANO, tuning=tuning))
        assert cfg.model.tuning == tuning
        assert cfg.optim_wrapper.optimizer.lr == lr
    base = Config.fromfile(NANO)
    base.few_shot = dict(full=dict(lr=0.5), prompt=dict(lr=0.1, weight_decay=0.0))
    for tuning, rates in (('full', (0.5, 0.05)), ('prompt', (0.1, 0.0))):
        task = Task(CATS, 1, tuning, 3)
        cfg = resolve(training_config(base, task, CATS.train, CATS.val))
        optimizer = cfg.optim_wrapper.optimizer
        assert (optimizer.lr, optimizer.weight_decay) == rates


def test_a_config_that_only_evaluates_can_train():
    base = Config.fromfile(NANO)
    base.optim_wrapper = base.val_cfg = None
    cfg = training_config(base, Task(CATS, 1, 'full', 3), CATS.train, CATS.val)
    assert resolve(cfg).optim_wrapper.optimizer.lr == 1e-4
    assert cfg.val_cfg.type == 'ValLoop'


def test_without_training_there_is_a_test_alone():
    cfg = resolve(test_config(Config.fromfile(NANO), Task(CATS, 0)))
    assert cfg.train_dataloader is None and cfg.val_dataloader is None
    assert cfg.test_dataloader.dataset.ann_file == 'valid.json'
