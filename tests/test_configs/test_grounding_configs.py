"""Evaluation of phrases and of referring expressions: a config for each model."""

from pathlib import Path

import pytest
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs' / 'glip'
MODELS = [
    'glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365',
    'glip_atss_swin-t_b_fpn_dyhead_pretrain_obj365',
    'glip_atss_swin-t_c_fpn_dyhead_pretrain_obj365-goldg',
    'glip_atss_swin-t_fpn_dyhead_pretrain_obj365-goldg-cc3m-sub',
    'glip_atss_swin-l_fpn_dyhead_pretrain_mixeddata',
]
# Kind -> folder and number of data sets.
KINDS = {
    'flickr30k': ('flickr30k', 2),
    'flickr30k-entities': ('flickr30k', 2),
    'refcoco': ('refcoco', 3),
    'refcoco_plus': ('refcoco', 3),
    'refcocog': ('refcoco', 2),
    'refexp': ('refcoco', 8),
}


def test_there_are_no_others():
    for folder in ('flickr30k', 'refcoco'):
        found = {path.stem for path in (CONFIGS / folder).glob('*.py')}
        kinds = [kind for kind, (home, _) in KINDS.items() if home == folder]
        assert found == {f'{m}_zeroshot_{kind}' for m in MODELS for kind in kinds}


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('model', MODELS)
def test_model_and_data(model, kind):
    folder, count = KINDS[kind]
    cfg = Config.fromfile(CONFIGS / folder / f'{model}_zeroshot_{kind}.py')
    trained = Config.fromfile(CONFIGS / f'{model}.py')
    for part in ('backbone', 'neck', 'bbox_head', 'language_model'):
        own, its = cfg.model[part].to_dict(), trained.model[part].to_dict()
        for key in ('init_cfg', 'frozen_stages'):  # which matter in training only
            its.pop(key, None)
        assert own == its
    # The original evaluates phrases with the settings of COCO.
    threshold = 0.05 if folder == 'flickr30k' else 0.0
    expected = trained.model.test_cfg.to_dict() | {'score_thr': threshold}
    assert cfg.model.test_cfg.to_dict() == expected
    assert cfg.test_dataloader == cfg.val_dataloader
    parts, evaluator = cfg.test_dataloader.dataset.datasets, cfg.test_evaluator
    assert len(parts) == len(evaluator.metrics) == count
    assert len(set(evaluator.dataset_prefixes)) == count
    assert len({part.ann_file for part in parts}) == count
    for part, name in zip(parts, evaluator.dataset_prefixes, strict=True):
        assert part.test_mode
        assert name.split('_')[-1].removeprefix('Flickr30k').lower() in (
            part.ann_file.lower()
        )


def test_one_part_alone(tmp_path):
    """As the docs show it."""
    base = CONFIGS / 'flickr30k' / f'{MODELS[2]}_zeroshot_flickr30k.py'
    path = tmp_path / 'val.py'
    path.write_text(
        f"_base_ = '{base}'\n"
        'test_dataloader = dict(dataset=dict(_delete_=True, **_base_.flickr30k_val))\n'
        'test_evaluator = dict(_delete_=True, **_base_.phrase_recall)\n'
    )
    cfg = Config.fromfile(path)
    assert cfg.test_dataloader.dataset.ann_file.endswith('val.json')
    assert cfg.test_dataloader.dataset.type == 'Flickr30kDataset'
    assert cfg.test_evaluator == dict(type='Flickr30kMetric', merge_boxes='both')
