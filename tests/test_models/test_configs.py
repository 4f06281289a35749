"""Every shipped config builds; full sizes have exactly the published names."""

import json
from pathlib import Path

import mmdet
import official
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from glip.registry import DATASETS

from .conftest import CONFIGS, build

TEN = [
    'glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365',
    'glip_atss_swin-t_b_fpn_dyhead_pretrain_obj365',
    'glip_atss_swin-t_c_fpn_dyhead_pretrain_obj365-goldg',
    'glip_atss_swin-t_fpn_dyhead_pretrain_obj365-goldg-cc3m-sub',
    'glip_atss_swin-l_fpn_dyhead_pretrain_mixeddata',
    'glip_atss_swin-t_a_fpn_dyhead_16xb2_ms-2x_funtune_coco',
    'glip_atss_swin-t_b_fpn_dyhead_16xb2_ms-2x_funtune_coco',
    'glip_atss_swin-t_c_fpn_dyhead_16xb2_ms-2x_funtune_coco',
    'glip_atss_swin-t_fpn_dyhead_16xb2_ms-2x_funtune_coco',
    'glip_atss_swin-l_fpn_dyhead_16xb2_ms-2x_funtune_coco',
]


@pytest.mark.parametrize('name', TEN)
def test_builds_at_full_size(name):
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    assert cfg.default_scope == 'glip'
    # Nothing is allocated on this device, so GLIP-L costs no memory.
    with torch.device('meta'):
        model = build(cfg.model)
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    # The original's counts less its unused class convolution and unused norms.
    expected = 430.4 if 'swin-l' in name else 151.4 if '-t_a_' in name else 231.8
    assert millions == pytest.approx(expected, abs=0.1)
    head = 8 if 'swin-l' in name else 6
    blocks = len(model.bbox_head.head.dyhead_tower)
    assert blocks == (head if '-t_a_' in name else 3 * head)
    if 'funtune' in name:
        assert cfg.load_from.startswith('glip-')
        assert cfg.optim_wrapper.optimizer.type == 'AdamW'


@pytest.mark.parametrize(
    ('size', 'name'),
    [('glip_tiny_a', TEN[0]), ('glip_tiny_b', TEN[1]), ('glip_l', TEN[4])],
)
def test_names_and_shapes_are_the_published_ones(size, name):
    published = official.figures('state_dict_mmdet')[size]
    with torch.device('meta'):
        model = build(Config.fromfile(CONFIGS / f'{name}.py').model)
    own = {key: list(value.shape) for key, value in model.state_dict().items()}
    assert own == published


@pytest.mark.parametrize('name', ['glip_nano_csp_minilm', 'glip_nano_swin_minilm'])
def test_nano_is_small(name):
    with torch.device('meta'):
        model = build(Config.fromfile(CONFIGS / f'{name}.py').model)
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    assert 15 < millions < 25


MMDET = Path(mmdet.__file__).parent / '.mim' / 'configs' / 'glip'


@pytest.mark.skipif(not MMDET.is_dir(), reason='mmdet came without its configs')
@pytest.mark.parametrize('name', TEN[::2])
def test_mmdets_own_configs_carry_over(name, tmp_path):
    """With the scope changed and nothing else, model and loaders are built."""
    cfg = Config.fromfile(MMDET / f'{name}.py')
    with torch.device('meta'):
        model = build(cfg.model)
    own = Config.fromfile(CONFIGS / f'{name}.py').model
    with torch.device('meta'):
        assert set(model.state_dict()) == set(build(own).state_dict())
    write_coco(tmp_path)
    for key in ('train_dataloader', 'test_dataloader'):
        dataset = cfg[key].dataset
        inner = dataset.get('dataset', dataset)
        inner.update(
            data_root=str(tmp_path), ann_file='a.json', data_prefix=dict(img='')
        )
        with DATASETS.switch_scope_and_registry('glip') as registry:
            found = registry.build(dataset)[0]['data_samples']
        assert list(found.text) == ['cat', 'dog']
        assert len(found.gt_instances) == 1


def write_coco(folder):
    """One picture, one dog."""
    Image.new('RGB', (80, 60)).save(folder / 'p.png')
    content = dict(
        images=[dict(id=1, file_name='p.png', width=80, height=60)],
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
        annotations=[
            dict(
                id=1,
                image_id=1,
                category_id=2,
                bbox=[9, 9, 40, 40],
                area=1600,
                iscrowd=0,
            )
        ],
    )
    (folder / 'a.json').write_text(json.dumps(content))
