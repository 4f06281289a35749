"""Recipes of self-training: a student's data is what the paper mixes."""

from pathlib import Path

import miniature
import pytest
from mmengine.config import Config

from glip.runtime.leaves import iter_leaves
from glip.teach.pseudo_labels import Labels
from glip.teach.self_training import SelfTraining
from glip.teach.self_training.mixing import student_config

CONFIGS = Path(__file__).parents[2] / 'configs' / 'glip' / 'self_training'
# Name -> data sets of people, the first teacher, and where captions are.
RECIPES = {
    'glip_atss_swin-t_fpn_dyhead_self-training_cc3m-sbu': (3, 'glip-tiny-c', 'cc3m'),
    'glip_atss_swin-l_fpn_dyhead_self-training_cc12m': (6, None, 'cc12m'),
    'glip_nano_csp_minilm_self-training_coco-mini': (1, 'glip-nano', 'coco_mini'),
    'glip_nano_csp_minilm_self-training_coco-person': (
        *(2, 'work_dirs/coco_person_base/iter_300.pth', 'coco_person'),
    ),
}


def test_no_recipe_is_forgotten():
    assert {path.stem for path in CONFIGS.glob('*self-training*.py')} == set(RECIPES)


@pytest.mark.parametrize('name', RECIPES)
def test_a_student_sees_the_data_of_people_and_the_labels(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    human, teacher, captions = RECIPES[name]
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    given = cfg.self_training.to_dict()
    assert given.get('teacher') == teacher
    assert captions in str(given['captions'])
    given.update(captions=[str(tmp_path)], data_root=None)
    cfg.self_training = given
    settings = SelfTraining.of(cfg)
    source = miniature.synthetic(tmp_path / 'pictures')
    assert miniature.make(cfg.train_dataloader, tmp_path, source) == human
    tar = captions.startswith('cc')
    labels = Labels('labels-*.tar' if tar else 'labels.jsonl', '', None, {})
    loader = student_config(cfg, labels, settings).train_dataloader
    assert len(list(iter_leaves(loader.dataset))) == human + 1
    if tar:
        assert loader.dataset.type == 'MixedStream' and loader.sampler is None
        ratios = loader.dataset.ratios
    else:
        ratios = loader.sampler.ratios
    assert ratios[-1] == pytest.approx(settings.share) and sum(ratios) == 1
