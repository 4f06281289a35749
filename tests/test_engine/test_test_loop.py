"""Evaluations that are killed go on, and nothing depends on how pictures are dealt."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import small_evaluation as small
import torch
import two_processes as two
from mmengine.registry import DefaultScope

from glip.config.flags import set_test_options
from glip.engine.run import build_runner
from glip.engine.spool import read_spool
from glip.engine.test_loop import SPOOL_FOLDER
from glip.errors import ConfigError
from glip.runtime.lock import only_run

COUNT = len(small.SIZES)
pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('small')
    small.write(path)
    return path


def run(folder, work_dir, *, resume=False, **changes):
    """Results and detections of an evaluation in this process."""
    before = dict(DefaultScope._instance_dict)
    cfg = small.config(folder, work_dir, **changes)
    set_test_options(cfg, cfg.load_from, resume=resume)
    try:
        return small.evaluate(cfg, work_dir.with_suffix('.pkl'))
    finally:
        DefaultScope._instance_dict.clear()
        DefaultScope._instance_dict.update(before)


@pytest.fixture(scope='module')
def whole(folder):
    """Results and detections of an evaluation that nothing disturbs."""
    values, found = run(folder, folder / 'whole')
    assert [p['img_id'] for p in found] == list(range(1, COUNT + 1))
    assert {p['scores'].round(6).max() for p in found} != {0}
    return values, found


@pytest.mark.parametrize('batch_size,workers', [(3, 0), (7, 0), (1, 2), (3, 2)])
def test_batches_and_workers_change_no_digit(folder, whole, batch_size, workers):
    changes = {
        'test_dataloader.batch_size': batch_size,
        'test_dataloader.num_workers': workers,
    }
    values, found = run(folder, folder / f'by{batch_size}_{workers}', **changes)
    small.assert_equal(found, whole[1])
    assert values == whole[0]


def test_joint_batches_are_another_thing(folder, whole):
    """Padding does reach the detections: the default is not a formality."""
    changes = {'test_dataloader.batch_size': 3, 'model.test_cfg.joint_batch': True}
    _, found = run(folder, folder / 'joint', **changes)
    largest = max(
        abs(ours['scores'][:5] - theirs['scores'][:5]).max()
        for ours, theirs in zip(found, whole[1], strict=True)
    )
    assert largest > 1e-4


def evaluate_in_share(rank: int, folder: Path) -> None:
    for batch_size in (1, 3):
        work_dir = folder / f'two_{batch_size}'
        changes = {'launcher': 'pytorch', 'test_dataloader.batch_size': batch_size}
        cfg = small.config(folder, work_dir, **changes)
        set_test_options(cfg, cfg.load_from)
        values, _ = small.evaluate(cfg, work_dir.with_suffix('.pkl'))
        if rank == 0:
            work_dir.with_suffix('.json').write_text(json.dumps(values))
    cfg = small.many(folder, folder / 'two_sets', launcher='pytorch')
    set_test_options(cfg, cfg.load_from)
    small.evaluate(cfg, folder / 'two_sets.pkl')
    # One process is far ahead when both stop; a single one finishes the work.
    cfg = small.config(folder, folder / 'stopped_two', launcher='pytorch')
    cfg.custom_hooks = [dict(type='Stop', after=1 + 2 * rank)]
    runner = build_runner(cfg)
    with pytest.raises(KeyboardInterrupt):
        runner.test()


@pytest.fixture(scope='module')
def shared_out(folder):
    """The work of two processes."""
    two.in_two_processes(evaluate_in_share, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize('batch_size', [1, 3])
def test_processes_change_no_digit(shared_out, whole, batch_size):
    out = shared_out / f'two_{batch_size}.pkl'
    small.assert_equal(small.found_in(out), whole[1])
    assert json.loads(out.with_suffix('.json').read_text()) == whole[0]


@pytest.mark.slow
def test_processes_change_no_digit_of_many_sets(shared_out):
    tables = []
    for name, batch_size in (('two_sets', None), ('one_sets', 3)):
        if batch_size:
            changes = {'test_dataloader.batch_size': batch_size}
            cfg = small.many(shared_out, shared_out / name, **changes)
            set_test_options(cfg, cfg.load_from)
            small.evaluate(cfg, shared_out / f'{name}.pkl')
        (table,) = (shared_out / name).glob('*/sets.json')
        tables.append(json.loads(table.read_text()))
    two, one = (small.found_in(shared_out / f'{n}_sets.pkl') for n in ('two', 'one'))
    assert [p['img_id'] for p in two] == [1, 2, 3, 1, 2, 1, 2]
    small.assert_equal(two, one)
    assert tables[0] == tables[1]
    assert [s['name'] for s in tables[0]['sets']] == ['coco', 'ours', 'roboflow']
    assert 0 < tables[0]['mean']['AP'] < 1


@pytest.mark.slow
def test_one_process_finishes_what_two_began(shared_out, whole):
    work_dir = shared_out / 'stopped_two'
    _, done = read_spool(work_dir / SPOOL_FOLDER)
    assert sorted(done) == [0, 1, 3, 5]
    runner = build_runner(
        small.config(shared_out, work_dir, **{'test_cfg.resume': True})
    )
    assert runner.test() == whole[0]


def killed(folder: Path, name: str, after: int) -> Path:
    """Work directory of an evaluation in a process that is killed."""
    work_dir = folder / name
    tests = Path(small.__file__).parent
    path = os.pathsep.join([str(tests), str(tests.parent)])
    command = [sys.executable, small.__file__, folder, work_dir, f'{work_dir}.pkl']
    result = subprocess.run(
        [*map(str, command), '--die-after', str(after)],
        env=os.environ | dict(PYTHONPATH=path, OMP_NUM_THREADS='1'),
        capture_output=True,
        check=False,
    )
    assert result.returncode == -9, result.stderr.decode()[-2000:]
    return work_dir


def test_a_killed_evaluation_goes_on_as_if_it_had_not_been(folder, whole):
    work_dir = killed(folder, 'killed', after=4)
    (file,) = (work_dir / SPOOL_FOLDER).glob('*.spool')
    _, done = read_spool(file.parent)
    assert sorted(done) == [0, 1, 2, 3]
    # A kill in the middle of writing leaves half a record.
    file.write_bytes(file.read_bytes()[:-9])
    seen = work_dir.with_suffix('.txt')
    seen.unlink()
    changes = {'custom_hooks': [dict(type='Killer', file=str(seen))]}
    changes['test_dataloader.batch_size'] = 2
    values, found = run(folder, work_dir, resume=True, **changes)
    small.assert_equal(found, whole[1])
    assert values == whole[0]
    assert seen.read_text().split() == ['4', '5', '6', '7']
    # Once more there is nothing left to do but to compute the results.
    seen.unlink()
    again, found = run(folder, work_dir, resume=True, **changes)
    small.assert_equal(found, whole[1])
    assert again == whole[0] and not seen.exists()


def test_resuming_something_else_is_refused(folder, whole, tmp_path):
    work_dir = tmp_path / 'run'
    run(folder, work_dir)

    def refused(**changes):
        with pytest.raises(ConfigError, match='^--resume: ') as error:
            run(folder, work_dir, resume=True, **changes)
        assert '\n' not in str(error.value)
        assert str(work_dir) in str(error.value)
        return str(error.value)

    weights = str(folder / 'weights_1.pth')
    said = refused(load_from=weights)
    assert 'another checkpoint' in said and 'weights_0' in said and weights in said
    changes = {'model.test_cfg.score_agg': 'MAX'}
    assert 'another model config' in refused(**changes)
    changes = {'test_dataloader.dataset.indices': 5}
    assert '5 pictures of' in refused(**changes)
    changes = {'test_evaluator.proposal_nums': [1, 10, 100]}
    assert 'another evaluator' in refused(**changes)
    annotations = folder / 'annotations.json'
    text = annotations.read_text()
    try:
        annotations.write_text(text.replace('"bbox": [4,', '"bbox": [5,', 1))
        assert 'another data set' in refused()
    finally:
        annotations.write_text(text)
    # What matters only at the end may change.
    values, _ = run(folder, work_dir, resume=True, **{'test_evaluator.classwise': True})
    assert 'coco/red_precision' in values


def test_a_failure_of_the_metrics_loses_nothing(folder, whole, tmp_path, monkeypatch):
    from glip.evaluation import CocoMetric

    def fail(self, results):
        raise RuntimeError('no room for the results')

    with monkeypatch.context() as patch:
        patch.setattr(CocoMetric, 'compute_metrics', fail)
        with pytest.raises(RuntimeError, match='no room'):
            run(folder, tmp_path / 'run')
    _, found = read_spool(tmp_path / 'run' / SPOOL_FOLDER)
    assert sorted(found) == list(range(COUNT))


def test_without_resume_all_is_evaluated_anew(folder, whole, tmp_path):
    seen = tmp_path / 'seen.txt'
    changes = {'custom_hooks': [dict(type='Killer', file=str(seen))]}
    for resume in (True, False):  # with nothing to resume, too
        values, found = run(folder, tmp_path / 'run', resume=resume, **changes)
        small.assert_equal(found, whole[1])
    assert len(seen.read_text().split()) == 2 * COUNT


def test_two_evaluations_in_one_folder_do_not_mix(folder, whole, tmp_path):
    work_dir = tmp_path / 'run'
    work_dir.mkdir()
    with only_run(work_dir, 'evaluation'), only_run(work_dir, 'training'):
        for resume in (True, False):
            with pytest.raises(ConfigError, match='another evaluation is running'):
                run(folder, work_dir, resume=resume)
    values, found = run(folder, work_dir)
    small.assert_equal(found, whole[1])
    assert not list(work_dir.glob('.*.lock'))


def test_a_full_disk_does_not_end_an_evaluation(folder, whole, tmp_path, monkeypatch):
    from glip.engine.spool import Spool

    def full(self, found):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Spool, 'add', full)
    values, found = run(folder, tmp_path / 'run')
    small.assert_equal(found, whole[1])


def test_progress_is_shown(folder, tmp_path, capfd):
    run(folder, tmp_path / 'run')
    said = capfd.readouterr().err
    assert f'{COUNT}/{COUNT}' in said and 'evaluating' in said


def test_only_what_metrics_keep_stays_in_memory(folder, tmp_path):
    cfg = small.config(folder, tmp_path / 'run')
    runner = build_runner(cfg)
    kept = []

    def look(loop=None, **_):
        loop = runner.test_loop
        metric = loop.evaluator.metrics[0]
        assert metric.results == []
        kept.extend(key for results in loop._results.values() for key in results[0][0])

    runner.call_hook = look
    runner.load_or_resume()
    runner.test_loop.run()
    assert kept and set(kept) <= {'img_id', 'bboxes', 'scores', 'labels'}


def test_a_loader_of_the_users_own_is_gone_through(folder, whole, tmp_path):
    built = build_runner(small.config(folder, tmp_path / 'built'))
    own = torch.utils.data.DataLoader(
        built.test_dataloader.dataset, collate_fn=lambda batch: _collated(batch)
    )
    runner = build_runner(small.config(folder, tmp_path / 'run'))
    runner._test_loop = runner.build_test_loop(dict(type='TestLoop'))
    runner._test_loop.dataloader = own
    assert runner.test() == whole[0]
    runner._test_loop.resume = True
    with pytest.raises(ConfigError, match='needs a data loader with a sampler'):
        runner.test()


def _collated(batch):
    return {key: [sample[key] for sample in batch] for key in batch[0]}
