import platform

import pytest
import torch

from benchmarks.speed import worker
from benchmarks.speed.agreement import Disagreement
from benchmarks.speed.contestants import Contestant, contestants
from benchmarks.speed.job import Job
from benchmarks.speed.stages import STAGES, _Meter
from benchmarks.speed.subjects import COCO, prepare
from benchmarks.speed.timing import Side, alternate, in_turn, markdown, spread
from glip.errors import GLIPError
from glip.ops.plain import is_plain

from .conftest import small


def labels(record: dict) -> list[str]:
    return [side['label'] for side in record['sides']]


@pytest.mark.parametrize('kind', ['single', 'short', 'stream', 'reprompt'])
def test_inference(fused, case, kind):
    record = worker.measure(Job(case(kind), runs=1), fused)
    assert labels(record) == ['mmdet', 'ours']
    assert [side['peer'] for side in record['sides']] == [True, False]
    assert all(len(side['values']) == 1 for side in record['sides'])
    assert all(value > 0 for side in record['sides'] for value in side['values'])
    assert 'boxes' in record['check'] and record['unit'] == 's'


def test_a_new_prompt_is_asked_of_a_picture_that_ours_knows(fused, case):
    computed = []
    handle = fused.ours.backbone.register_forward_hook(lambda *_: computed.append(None))
    counts = []
    for runs in (1, 3):
        computed.clear()
        job = Job(case('reprompt'), settings='tuned', runs=runs)  # no warming up
        record = worker.measure(job, fused)
        assert [len(side['values']) for side in record['sides']] == [runs, runs]
        counts.append(len(computed))
    handle.remove()
    assert counts[0] == counts[1] > 0


def test_batch(fused, case):
    record = worker.measure(Job(case('batch', batch=2), runs=1), fused)
    assert labels(record) == ['mmdet', 'ours']


def test_half_precision_has_both_forms_of_the_peer(fused, case):
    record = worker.measure(Job(case('single'), precision='bf16', runs=1), fused)
    assert labels(record) == ['mmdet', 'mmdet, bf16', 'ours, bf16']


@pytest.mark.parametrize('quick', [False, True])
def test_lvis_is_reckoned_from_some_chunks(subjects, case, monkeypatch, quick):
    asked = []
    monkeypatch.setattr('benchmarks.speed.actions.seconds', lambda work, _: work())

    def detect(one, batch):
        count = len(batch.metas[0]['text'])
        asked.append((one.label, count))
        return 5 + count / 40  # seconds: a chunk takes one

    monkeypatch.setattr('benchmarks.speed.contestants.Contestant.detect', detect)
    record = worker.measure(Job(case('lvis'), quick=quick, runs=1), subjects)
    theirs, ours = record['sides']
    assert theirs['values'] == [5 + 31]
    assert theirs['extrapolated'] and ours['extrapolated'] is quick
    assert ours['values'] == [5 + 31 if quick else pytest.approx(5 + 1203 / 40)]
    assert ('mmdet', 1203) not in asked


@pytest.mark.slow
@pytest.mark.parametrize(
    'kind, wanted',
    [
        ('checkpoint', ['mmdet', 'ours, checkpoint']),
        ('activations', ['mmdet', 'ours', 'ours, checkpoint']),
    ],
)
def test_training(case, monkeypatch, kind, wanted):
    monkeypatch.setattr('benchmarks.speed.training._SMALL', (64, 96))
    with worker.mended():
        record = worker.measure(Job(case(kind), runs=1), small('B', training=True))
    assert labels(record) == wanted
    values = dict(zip(wanted, (side['values'][0] for side in record['sides'])))
    assert min(values.values()) > 0
    if kind == 'activations':
        assert record['unit'] == 'MB'
        assert values['ours, checkpoint'] <= values['ours']


@pytest.mark.skipif(platform.system() != 'Linux', reason='reads /proc')
def test_peak_memory_of_one_side(fresh, case):
    record = worker.measure(Job(case('memory'), side='mmdet', runs=1), fresh)
    assert labels(record) == ['mmdet'] and record['unit'] == 'MB'
    assert fresh.ours is None  # the other model does not count
    assert record['sides'][0]['values'][0] >= 0


def test_profile(subjects, case):
    record = worker.measure(Job(case('single'), profile=True, runs=1), subjects)
    theirs, ours = record['profile']
    for side in (theirs, ours):
        assert list(side['seconds']) == list(side['gflop']) == list(STAGES)
        busy = {stage for stage, flops in side['gflop'].items() if flops > 0}
        assert {'backbone', 'neck', 'DyConv', 'predictions'} <= busy
    fused = subjects.ours.bbox_head.early_fuse
    assert (theirs['gflop']['fusion'] > 0) is fused
    # Its words are encoded for every picture, ours have been.
    assert theirs['gflop']['language'] > 0 == ours['gflop']['language']
    assert theirs['gflop']['neck'] == pytest.approx(ours['gflop']['neck'])


def test_a_profile_leaves_the_model_as_it_was(fused, case):
    before = set(vars(fused.ours.backbone))
    worker.measure(Job(case('single'), profile=True, runs=1), fused)
    assert set(vars(fused.ours.backbone)) == before


def test_inner_stages_are_not_counted_twice():
    clock = iter([0.0, 1.0, 3.0, 7.0, 15.0, 31.0])
    meter = _Meter(lambda: next(clock))
    meter.enter('predictions')  # 1 before it
    meter.enter('DyConv')  # 2 of it
    meter.leave()  # 4 inside
    meter.leave()  # 8 more of it
    totals = meter.finish()
    assert totals['post'] == 1 + 16
    assert totals['predictions'] == 2 + 8 and totals['DyConv'] == 4


def test_rounds_alternate(capsys):
    order = []
    sides = [
        Side(name, lambda name=name: order.append(name) or 1.0, peer=False)
        for name in 'ab'
    ]
    alternate(sides, runs=3)
    assert order == list('abbaab')
    assert [side.values for side in sides] == [[1.0] * 3] * 2
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_calls_take_turns_after_some_to_warm_up():
    order = []
    calls = {name: lambda name=name: order.append(name) or len(order) for name in 'ab'}
    assert in_turn(calls, 2, unmeasured=1) == {'a': [3, 5], 'b': [4, 6]}
    assert order == ['a', 'b'] * 3


def test_rows_of_a_table():
    assert spread([3, 1, 2.5]) == ['1.00', '2.50', '3.00']
    assert markdown(['x', 'y'], [spread([1, 2])[:2]]) == [
        '| x | y |',
        '|---|---|',
        '| 1.00 | 1.50 |',
    ]


@pytest.mark.parametrize('settings', ['default', 'tuned'])
def test_each_side_runs_with_the_memory_of_its_users(
    fused, case, monkeypatch, settings
):
    happened = []
    monkeypatch.setattr(
        worker, 'allocator_of_users', lambda *, ours: happened.append(ours)
    )
    detect = Contestant.detect

    def noted(one, batch):
        happened.append(one.label)
        return detect(one, batch)

    monkeypatch.setattr(Contestant, 'detect', noted)
    record = worker.measure(Job(case('single'), settings=settings, runs=2), fused)
    assert all(len(side['values']) == 2 for side in record['sides'])
    theirs, ours = [False, 'mmdet'], [True, 'ours', 'ours']
    wanted = theirs + ours + ours + theirs  # the other way round the second time
    if settings == 'tuned':
        wanted = ['mmdet', 'ours', 'ours', 'mmdet']
    assert happened == wanted


def test_the_plain_path_can_be_a_peer(fresh, case):
    job = Job(case('single'), peers=('mmdet', 'plain', 'float32'))
    entrants = {one.label: one for one in contestants(job, fresh)}
    assert [one.peer for one in entrants.values()] == [True, True, True, False]
    plain = []
    handle = fresh.ours.backbone.register_forward_hook(
        lambda *_: plain.append(is_plain())
    )
    batch = prepare(fresh.ours, (64, 96), COCO)
    with handle:
        entrants['ours'].detect(batch)
        entrants['ours, plain'].detect(prepare(fresh.ours, (96, 64), COCO))
    assert plain == [False, True]


def test_a_record_says_where_it_is_from(fused, case, monkeypatch, capsys):
    monkeypatch.setattr(worker, 'build_subjects', lambda *_, **__: fused)
    record = worker.work(Job(case('single'), runs=1, threads=torch.get_num_threads()))
    assert record['environment']['gemm'] > 0
    assert record['environment']['matmul_error'] < 1e-5
    assert 'round 1: mmdet' in capsys.readouterr().out


def test_a_disagreement_ends_the_measurement(fresh, case, monkeypatch):
    with torch.no_grad():
        fresh.peer.bbox_head.head.log_scale.add_(0.1)
    monkeypatch.setattr(worker, 'build_subjects', lambda *_, **__: fresh)
    with pytest.raises(GLIPError, match='single-B-64') as stop:
        worker.work(Job(case('single'), runs=1))
    assert isinstance(stop.value.__cause__, Disagreement)
