"""tools/test.py and eval_metric.py on captions: all configs, on sets in miniature."""

import json
import os
from pathlib import Path

import grounding_sets as sets
import mmdet
import pytest
import small_evaluation as small
import two_processes as two

from glip.engine.spool import read_spool
from glip.engine.test_loop import SPOOL_FOLDER

STEM = 'glip_atss_swin-t_c_fpn_dyhead_pretrain_obj365-goldg_zeroshot'
PHRASES = f'flickr30k/{STEM}_flickr30k-entities.py'
EXPRESSIONS = f'refcoco/{STEM}_refexp.py'
pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """A folder with ``data/`` and ``weights.pth``, which is the current one."""
    path = tmp_path_factory.mktemp('grounding')
    sets.write(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        patch.setattr('yapf.yapflib.yapf_api.FormatCode', unformatted)
        yield path


def unformatted(text, **_):
    """In place of yapf, which takes longer than the evaluation itself."""
    return text, True


@pytest.fixture(scope='module')
def evaluate(root, test_tool):
    """Run the tool: results by name and, of ``--out``, what was found."""

    def run(name, work_dir, *options, code=0, stop_after=None):
        config = sets.config(root, name, stop_after)
        out = root / f'{work_dir}.pkl'
        arguments = [config, root / 'weights.pth', '--work-dir', root / work_dir]
        arguments += ['--out', out, *options]
        assert test_tool([str(a) for a in arguments]) == code
        return (results_in(root / work_dir), small.found_in(out)) if not code else None

    return run


def results_in(work_dir):
    newest = max(work_dir.glob('*/*.json'), key=lambda path: path.stat().st_mtime_ns)
    results = json.loads(newest.read_text())
    return {k: v for k, v in results.items() if k not in ('time', 'data_time')}


@pytest.fixture(scope='module')
def whole(evaluate):
    """Of both tasks, an evaluation that nothing disturbs."""
    return {
        name: evaluate(name, f'whole_{number}', '--plots', f'plots_{number}')
        for number, name in enumerate((PHRASES, EXPRESSIONS))
    }


def test_phrases_by_protocol_part_and_type(root, whole):
    results, found = whole[PHRASES]
    assert len(found) == 18 and None not in results.values()
    for part in ('Flickr30kVal/', 'Flickr30kTest/', ''):
        values = {k: results[f'{part}flickr30k/{k}'] for k in ('R@1', 'R@5', 'R@10')}
        assert 0 < values['R@1'] < values['R@5'] <= values['R@10'] <= 100
        assert results[f'{part}flickr30k/phrases'] == 12
        assert results[f'{part}flickr30k/phrases_people'] == 6
        assert f'{part}flickr30k/merged_R@10_animals' in results
    assert not any('scene' in name for name in results)
    for part in ('Flickr30kVal', 'Flickr30kTest'):
        summary = json.loads((root / 'plots_0' / part / 'summary.json').read_text())
        of_metric = results[f'{part}/flickr30k/R@5_people']
        assert summary['kinds']['people']['R@5'] == of_metric
        assert (root / 'plots_0' / part / 'worst' / 'index.html').is_file()


def test_expressions_by_set_and_part(root, whole):
    results, found = whole[EXPRESSIONS]
    assert len(found) == 8 * 2
    for name, parts in sets.PARTS.items():
        for part in parts:
            start = f'{name}_{part}/refexp/{name}'
            values = [results[f'{start}_precision@{k}'] for k in (1, 5, 10)]
            assert 0 <= values[0] <= values[1] <= values[2] <= 1 and values[2] > 0
            assert results[f'{start}_acc@0.5'] == values[0]
            assert results[f'{name}_{part}/refexp/expressions'] == 2
            assert (root / 'plots_1' / f'{name}_{part}'.replace('+', '_')).is_dir()
    assert 'refexp/mean_precision' in results


@pytest.mark.parametrize('name', [PHRASES, EXPRESSIONS])
@pytest.mark.parametrize('batch_size,workers', [(3, 0), (1, 2), (3, 2)])
def test_batches_and_workers_change_no_digit(
    evaluate, whole, name, batch_size, workers
):
    options = ['--batch-size', batch_size]
    options += ['--cfg-options', f'test_dataloader.num_workers={workers}']
    results, found = evaluate(name, f'by_{batch_size}_{workers}', *options)
    small.assert_equal(found, whole[name][1])
    assert results == whole[name][0]


def evaluate_in_share(rank, root):
    os.chdir(root)
    from test_tools.conftest import main_of
    from yapf.yapflib import yapf_api

    yapf_api.FormatCode = unformatted
    test_tool = main_of('test')
    for name in (PHRASES, EXPRESSIONS):
        arguments = [root / Path(name).name, root / 'weights.pth']
        arguments += ['--work-dir', root / f'two_{Path(name).stem}', '--batch-size', 2]
        arguments += ['--launcher', 'pytorch', '--out', root / f'two_{name[:4]}.pkl']
        assert test_tool([str(a) for a in arguments]) == 0


@pytest.mark.slow
def test_processes_change_no_digit(root, whole):
    for name in (PHRASES, EXPRESSIONS):
        sets.config(root, name)
    two.in_two_processes(evaluate_in_share, root)
    for name in (PHRASES, EXPRESSIONS):
        small.assert_equal(small.found_in(root / f'two_{name[:4]}.pkl'), whole[name][1])
        assert results_in(root / f'two_{Path(name).stem}') == whole[name][0]


@pytest.mark.parametrize('name', [PHRASES, EXPRESSIONS])
def test_a_stopped_evaluation_goes_on(root, evaluate, whole, name):
    work_dir = f'stopped_{name[:4]}'
    evaluate(name, work_dir, '--batch-size', 2, stop_after=4, code=130)
    _, done = read_spool(root / work_dir / SPOOL_FOLDER)
    assert sorted(done) == list(range(8))
    results, found = evaluate(name, work_dir, '--batch-size', 3, '--resume')
    small.assert_equal(found, whole[name][1])
    assert results == whole[name][0]
    # What only matters at the end may be asked for afterwards.
    prefix = root / f'{work_dir}_all'
    option = f'test_evaluator.metrics.0.outfile_prefix={prefix}'
    evaluate(name, work_dir, '--resume', '--cfg-options', option)
    rows = json.loads(Path(f'{prefix}.phrases.json').read_text())['phrases']
    assert len(rows) == {PHRASES: 12, EXPRESSIONS: 2}[name]


@pytest.mark.parametrize('name', [PHRASES, EXPRESSIONS])
def test_predictions_in_a_file_give_the_same(root, whole, name, capsys):
    from test_tools.conftest import main_of

    eval_metric = main_of('analysis_tools/eval_metric')
    number = (PHRASES, EXPRESSIONS).index(name)
    config, out = sets.config(root, name), root / f'whole_{number}.pkl'
    plots = root / f'again_{number}'
    assert eval_metric([str(config), str(out), '--plots', str(plots)]) == 0
    printed = capsys.readouterr().out
    results = eval(printed[printed.index('{') : printed.index('}') + 1])
    assert results == whole[name][0]
    before = sorted((root / f'plots_{number}').rglob('*.csv'))
    after = sorted(plots.rglob('*.csv'))
    assert len(before) == len(after) > 1
    for ours, theirs in zip(after, before, strict=True):
        assert ours.read_text() == theirs.read_text()


def test_mdetrs_file_gives_what_the_authors_files_give(evaluate, whole):
    """But for types, which it does not have."""
    results, found = evaluate(f'flickr30k/{STEM}_flickr30k.py', 'mdetr')
    assert len(found) == 18
    assert len(results) == 2 * 9 + 9
    for name, value in results.items():
        assert whole[PHRASES][0][name] == value


@pytest.mark.parametrize('name', ['refcoco', 'refcoco_plus', 'refcocog'])
def test_single_sets_give_what_all_in_one_run_give(evaluate, whole, name):
    results, _ = evaluate(f'refcoco/{STEM}_{name}.py', name)
    assert results
    for key in (key for key in results if key.count('/') == 2):
        assert whole[EXPRESSIONS][0][key] == results[key]


MMDET = (
    Path(mmdet.__file__).parent / '.mim/configs/glip' / f'flickr30k/{STEM}_flickr30k.py'
)


@pytest.mark.skipif(not MMDET.is_file(), reason='mmdet came without its configs')
def test_mmdets_own_config_carries_over(evaluate, whole):
    results, found = evaluate(MMDET, 'theirs')
    assert len(found) == 18 and len(results) == 3 * 5
    for name, value in results.items():
        assert whole[PHRASES][0][name] == value


class TestBadInput:
    @pytest.fixture
    def said(self, evaluate, capsys):
        """The one line that an evaluation with other options ends with."""

        def run(name, *options):
            given = ['--cfg-options', *options] if options else []
            evaluate(name, 'bad', *given, code=1)
            err = capsys.readouterr().err
            assert 'Traceback' not in err
            last = err.strip().splitlines()[-1]
            assert last.startswith('error: ')
            return last

        return run

    def test_wrong_root(self, root, said):
        line = said(PHRASES, 'test_dataloader.dataset.datasets.0.data_root=nowhere/')
        assert f'not found: {root}/nowhere/val.txt (data_root joined' in line
        line = said(
            EXPRESSIONS, 'test_dataloader.dataset.datasets.1.data_root=nowhere/'
        )
        assert f'not found: {root}/nowhere/refcoco/finetune_refcoco_testA.json' in line
        assert 'data_root joined with ann_file: set both in the config' in line

    def test_wrong_folder_of_pictures(self, root, said):
        option = 'test_dataloader.dataset.datasets.0.data_prefix.img=refcoco/'
        line = said(EXPRESSIONS, option)
        assert f'picture folder {root}/data/refcoco has none of' in line
        assert 'COCO_train2014_000000000000.jpg' in line and 'data_prefix' in line

    def test_a_sentence_file_is_missing(self, root, said):
        path = root / 'data/flickr30k_entities/Sentences/102.txt'
        text = path.read_text()
        path.unlink()
        try:
            line = said(PHRASES)
        finally:
            path.write_text(text)
        assert str(path) in line and 'which the picture 102' in line

    def test_a_picture_is_missing(self, root, said):
        path = root / 'data/flickr30k_entities/flickr30k_images/104.jpg'
        data = path.read_bytes()
        path.unlink()
        try:
            line = said(PHRASES)
        finally:
            path.write_bytes(data)
        assert str(path.relative_to(root)) in line and 'no such' in line

    def test_annotations_of_another_layout(self, said):
        option = 'test_dataloader.dataset.datasets.0.ann_file'
        line = said(EXPRESSIONS, f'{option}=flickr30k_entities/val.txt')
        assert 'val.txt' in line and 'JSON' in line
        line = said(PHRASES, f'{option}=final_flickr_separateGT_val.json')
        assert 'Annotations' in line

    def test_a_metric_of_another_task(self, said):
        part = 'test_dataloader.dataset.datasets.0'
        assert 'Flickr30kMetric' in said(
            EXPRESSIONS,
            f'{part}.type=Flickr30kDataset',
            f'{part}.ann_file=flickr30k_entities/final_flickr_separateGT_val.json',
            f'{part}.data_prefix.img=flickr30k_entities/flickr30k_images/',
        )
        line = said(PHRASES, 'test_evaluator.metrics.0.type=RefExpMetric')
        assert 'RefExpMetric' in line and "'merge_boxes'" in line
