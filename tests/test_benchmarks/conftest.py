"""Small models of mmdet's shape, and small cases."""

from collections.abc import Callable

import pytest

from benchmarks.speed import cases
from benchmarks.speed.cases import Case
from benchmarks.speed.peer import mended, peer_config
from benchmarks.speed.subjects import Subjects, our_config, pair

SIZE = (64, 96)
_NAMES = dict(
    A='glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365.py',
    B='glip_atss_swin-t_b_fpn_dyhead_pretrain_obj365.py',
)
_FINE_TUNED = 'glip_atss_swin-t_{}_fpn_dyhead_16xb2_ms-2x_funtune_coco.py'


@pytest.fixture(autouse=True)
def same_allocator(monkeypatch):
    """Other tests of this process are not to run with another one."""
    for module in ('worker', 'peaks'):
        monkeypatch.setattr(
            f'benchmarks.speed.{module}.allocator_of_users', lambda **_: None
        )


def small(variant: str, *, training: bool = False) -> Subjects:
    """Both models, with little of everything that mmdet's code leaves open."""
    name = _FINE_TUNED.format(variant.lower()) if training else _NAMES[variant]
    configs = our_config(variant, training=training), peer_config(name)
    for cfg in configs:
        cfg.model.backbone.update(
            embed_dims=16, depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4), window_size=4
        )
        cfg.model.neck.in_channels = [32, 64, 128]
        cfg.model.bbox_head.num_dyhead_blocks = 1
    configs[0].model.language_model.config = dict(num_hidden_layers=1)
    return pair(*configs, device='cpu')


@pytest.fixture(params=['A', 'B'])
def subjects(request):
    with mended():
        yield small(request.param)


@pytest.fixture(params=['A', 'B'])
def trainable(request):
    with mended():
        yield small(request.param, training=True)


@pytest.fixture(scope='module')
def fused():
    """For tests that leave it as it is."""
    with mended():
        yield small('B')


@pytest.fixture
def fresh():
    """For tests that change it."""
    with mended():
        yield small('B')


@pytest.fixture
def case(monkeypatch) -> Callable[..., str]:
    """Adds a case of a small picture and returns its name."""

    def add(kind: str, **fields) -> str:
        name = f'{kind}-B-64'
        small_case = Case(name, kind, 'B', SIZE, f'B, {kind}', **fields)
        monkeypatch.setitem(cases.CASES, name, small_case)
        return name

    return add
