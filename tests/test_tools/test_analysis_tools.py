"""The analysis tools by their command lines."""

import importlib.util
import json
from pathlib import Path

import coco_folder
import predictions
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'


@pytest.fixture
def run(capsys):
    """Runs a tool: exit code, what it printed, what it printed as error."""

    def call(name, *arguments):
        spec = importlib.util.spec_from_file_location(
            f'glip_tools_{name}', TOOLS / f'{name}.py'
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        before = dict(DefaultScope._instance_dict)
        try:
            code = module.main([str(a) for a in arguments])
        finally:
            DefaultScope._instance_dict.clear()
            DefaultScope._instance_dict.update(before)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope='module')
def found(tiny):
    """Perfect predictions for the test data of ``tiny.py``."""
    data = json.loads((tiny / 'valid' / 'annotations.json').read_text())
    return predictions.write(tiny / 'found.pkl', predictions.perfect(data))


def one_line(err):
    """The error, which is the last line and has none of a traceback before it."""
    assert 'Traceback' not in err
    last = err.strip().splitlines()[-1]
    assert last.startswith('error: ')
    return last


@pytest.mark.parametrize(
    'name',
    [
        *('get_flops', 'benchmark', 'analyze_logs', 'analyze_results', 'eval_metric'),
        'join_sets',
    ],
)
def test_all_explain_themselves(run, capsys, name):
    with pytest.raises(SystemExit) as stop:
        run(name, '--help')
    assert stop.value.code == 0
    assert len(capsys.readouterr().out) > 200


class TestGetFlops:
    def test_of_a_picture_of_noise(self, run, tiny):
        code, out, _ = run(
            *('get_flops', tiny / 'tiny.py', '--shape', 64, '--texts', 'cat. dog')
        )
        assert code == 0
        assert 'Input shape: (64, 64)' in out
        assert 'Prompt: 5 tokens in 1 prompt' in out
        assert 'Flops: ' in out and 'Params: ' in out

    def test_of_data_with_the_prompts_it_comes_with(self, run, tiny):
        code, out, _ = run('get_flops', tiny / 'tiny.py', '--num-images', 5)
        assert code == 0
        assert 'mean of 2 pictures' in out
        assert 'Prompt: 7 tokens' in out  # red, green, blue

    def test_of_many_classes(self, run, tiny):
        arguments = ('--shape', 64, 96, '--num-classes', 300)
        code, out, _ = run('get_flops', tiny / 'tiny.py', *arguments)
        assert code == 0
        assert 'Input shape: (64, 96)' in out
        assert 'prompts' in out

    @pytest.mark.parametrize(
        ('arguments', 'said'),
        [
            (['--num-images', '2', '--shape', '64'], '--num-images takes'),
            (['--num-images', '0'], 'at least 1'),
            (['--shape', '1', '2', '3'], 'height and width'),
            (['--num-classes', '0'], '--num-classes'),
            (['--device', 'cuda:99'], 'cuda:99'),
        ],
    )
    def test_bad_input(self, run, tiny, arguments, said):
        code, _, err = run('get_flops', tiny / 'tiny.py', *arguments)
        assert code == 1
        assert said in one_line(err)

    def test_no_config(self, run, tmp_path):
        code, _, err = run('get_flops', tmp_path / 'no.py')
        assert code == 1
        assert 'no such config' in one_line(err)


class TestBenchmark:
    @pytest.fixture(scope='class')
    def weights(self, tiny):
        import torch
        from mmengine.config import Config

        from glip.apis.loading import build_model

        path = tiny / 'weights.pth'
        model = build_model(Config.fromfile(tiny / 'tiny.py'))
        torch.save({'state_dict': model.state_dict()}, path)
        return path

    def test_inference(self, run, tiny, weights, tmp_path, monkeypatch):
        from glip.report import speed as benchmark

        models = []
        build = benchmark.build_model
        monkeypatch.setattr(
            benchmark,
            'build_model',
            lambda cfg: models.append(build(cfg)) or models[-1],
        )
        arguments = ['--checkpoint', weights, '--task', 'inference', '--max-iter', 2]
        arguments += ['--num-warmup', 1, '--log-interval', 2, '--fuse-conv-bn']
        arguments += ['--repeat-num', 2, '--work-dir', tmp_path / 'work']
        code, out, _ = run('benchmark', tiny / 'tiny.py', *arguments)
        assert code == 0
        lines = out.strip().splitlines()
        assert lines[0].startswith('Done img [2  /2], fps: ')
        assert 'MB' in lines[1]
        assert lines[-1].startswith('Overall fps: [')
        log = (tmp_path / 'work' / 'benchmark.log').read_text()
        assert log.strip().splitlines() == lines
        # Of a picture that comes again nothing is known.
        assert [model.reuse_features for model in models] == [False, False]

    @pytest.mark.parametrize('split', ['train', 'val', 'test'])
    def test_dataloader(self, run, tiny, split):
        arguments = ['--num-warmup', 0, '--dataset-type', split]
        options = ['--cfg-options', f'{split}_dataloader.num_workers=0']
        options += [f'{split}_dataloader.persistent_workers=False']
        code, out, _ = run('benchmark', tiny / 'tiny.py', *arguments, *options)
        assert code == 0
        assert f'{split}: batches of ' in out
        assert 'Overall fps: ' in out and 'ms/batch' in out

    def test_dataset_says_how_long_each_step_takes(self, run, tiny):
        arguments = ['--task', 'dataset', '--num-warmup', 0]
        code, out, _ = run('benchmark', tiny / 'tiny.py', *arguments)
        assert code == 0
        for step in ('get_data_info', 'LoadImageFromFile', 'FixScaleResize'):
            assert f'{step}: ' in out
        assert 'ms/img' in out

    @pytest.mark.parametrize(
        ('arguments', 'said'),
        [
            (['--task', 'inference'], 'needs --checkpoint'),
            (['--max-iter', '5'], 'leaves nothing to measure'),
            (['--log-interval', '0'], 'at least 1'),
            (['--repeat-num', '0'], '--repeat-num'),
            (['--task', 'dataset', '--num-warmup', '3'], 'lower --num-warmup'),
            (['--task', 'inference', '--checkpoint', 'no.pth'], 'no.pth'),
        ],
    )
    def test_bad_input(self, run, tiny, arguments, said):
        code, _, err = run('benchmark', tiny / 'tiny.py', *arguments)
        assert code == 1
        assert said in one_line(err)


class TestAnalyzeLogs:
    @pytest.fixture
    def log(self, tmp_path):
        entries = [
            {'loss_cls': 1 / i, 'time': 0.5, 'epoch': 1, 'iter': i, 'step': i}
            for i in range(1, 4)
        ]
        entries.append({'coco/bbox_mAP': 0.3, 'step': 1})
        path = tmp_path / 'run' / '2026' / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        path.write_text('\n'.join(map(json.dumps, entries)))
        return path

    def test_plot_curve(self, run, log, tmp_path):
        out = tmp_path / 'x.png'
        arguments = ['--keys', 'loss_cls', 'bbox_mAP', '--legend', 'a', 'b']
        code, said, _ = run('analyze_logs', 'plot_curve', log, *arguments, '--out', out)
        assert code == 0
        assert f'save curve to: {out}' in said
        with Image.open(out) as image:
            assert image.width > 300

    def test_without_out_a_picture_is_left(self, run, log, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv('MPLBACKEND', 'agg')
        code, _, _ = run('analyze_logs', 'plot_curve', tmp_path / 'run')
        assert code == 0
        assert (tmp_path / 'curves.png').is_file()

    def test_cal_train_time(self, run, log):
        code, said, _ = run('analyze_logs', 'cal_train_time', log)
        assert code == 0
        assert 'average iter time: 0.5000 s/iter' in said

    def test_bad_input(self, run, log, tmp_path):
        plot = ('analyze_logs', 'plot_curve')
        for arguments, said in (
            ((*plot, log, '--keys', 'loss'), 'has no loss; did you mean loss_cls?'),
            ((*plot, log, '--legend', 'a', 'b'), '--legend'),
            ((*plot, tmp_path / 'no.json'), 'does not exist'),
            (('analyze_logs', 'cal_train_time', tmp_path), 'has no log'),
        ):
            code, _, err = run(*arguments)
            assert code == 1
            assert said in one_line(err)


class TestAnalyzeResults:
    def test_good_and_bad_pictures_are_drawn(self, run, tiny, tmp_path):
        data = json.loads((tiny / 'valid' / 'annotations.json').read_text())
        samples = predictions.perfect(data)
        samples[1] = predictions.sample(2, [], [], [])
        path = predictions.write(tmp_path / 'x.pkl', samples)
        arguments = (tiny / 'tiny.py', path, tmp_path / 'out', '--topk', 9)
        code, out, _ = run('analyze_results', *arguments, '--show-score-thr', 0.3)
        assert code == 0
        good, bad = (
            [p.name for p in (tmp_path / 'out' / kind).iterdir()]
            for kind in ('good', 'bad')
        )
        assert good == ['0_1.000.jpg'] and bad == ['1_0.000.jpg']
        assert '2 pictures, mean of their AP 0.500' in out
        with Image.open(tmp_path / 'out' / 'good' / '0_1.000.jpg') as image:
            assert image.width > 900  # annotated and found side by side

    def perfect(self, data, tiny, tmp_path):
        """Arguments for predictions that are right, of pictures in ``data``."""
        path = predictions.write(tmp_path / 'x.pkl', predictions.perfect(data))
        options = ['--cfg-options', f'custom_data.data_root={tmp_path / "data"}']
        options += ['custom_data.val.ann_file=annotations.json']
        return tiny / 'tiny.py', path, tmp_path / 'out', *options

    def test_pictures_without_boxes_are_left_out(self, run, tiny, tmp_path):
        data = coco_folder.content(num_images=2)
        data['annotations'] = [a for a in data['annotations'] if a['image_id'] == 1]
        coco_folder.write(tmp_path / 'data', data)
        code, out, _ = run('analyze_results', *self.perfect(data, tiny, tmp_path))
        assert code == 0
        assert '1 more have no box to find' in out

    def test_a_picture_that_is_missing_costs_only_itself(self, run, tiny, tmp_path):
        data = coco_folder.content(num_images=2)
        coco_folder.write(tmp_path / 'data', data)
        (tmp_path / 'data' / '0.png').unlink()
        code, out, err = run('analyze_results', *self.perfect(data, tiny, tmp_path))
        assert code == 0
        assert 'written: 1 pictures' in out and '0.png' in err

    def test_bad_input(self, run, tiny, found, tmp_path):
        config, out = tiny / 'tiny.py', tmp_path / 'out'
        short = predictions.write(
            tmp_path / 'x.pkl', [predictions.sample(1, [], [], [])]
        )
        for arguments, said in (
            ((config, tmp_path / 'no.pkl', out), 'does not exist'),
            ((config, short, out), 'of 1 pictures, but'),
            ((config, found, out, '--topk', 0), '--topk 0'),
            ((config, found, out, '--show-score-thr', 3), '--show-score-thr'),
            ((config, found, found), 'cannot write'),
        ):
            code, _, err = run('analyze_results', *arguments)
            assert code == 1
            assert said in one_line(err)


class TestEvalMetric:
    def test_results_are_those_of_the_config_s_metrics(self, run, tiny, found):
        options = ['--cfg-options', 'test_evaluator.classwise=True']
        code, out, _ = run('eval_metric', tiny / 'tiny.py', found, *options)
        assert code == 0
        assert "'coco/bbox_mAP': 1.0" in out
        assert "'coco/red_precision': 1.0" in out

    def test_plots_on_request(self, run, tiny, found, tmp_path):
        arguments = ('eval_metric', tiny / 'tiny.py', found, '--plots', tmp_path / 'p')
        code, out, _ = run(*arguments)
        assert code == 0
        assert (tmp_path / 'p' / 'worst' / 'index.html').is_file()
        assert 'confusion_matrix.png' in out

    def test_a_wish_for_other_metrics_is_heard(self, run, tiny, found):
        options = ['--cfg-options', 'test_evaluator.metric_items=["mAP_50"]']
        code, out, _ = run('eval_metric', tiny / 'tiny.py', found, *options)
        assert code == 0
        assert out.strip().splitlines()[-1] == "{'coco/bbox_mAP_50': 1.0}"

    def test_phrases_are_evaluated_with_the_truth_of_the_data(
        self, run, tiny, tmp_path
    ):
        caption = 'a red thing and a green thing'
        data = coco_folder.content(num_images=1)
        data['images'][0]['caption'] = caption
        for annotation, phrase in zip(data['annotations'], ('red', 'green')):
            begin = caption.index(phrase)
            annotation['tokens_positive'] = [[begin, begin + len(phrase)]]
        coco_folder.write(tmp_path / 'data', data)
        (sample,) = predictions.perfect(data)
        path = predictions.write(tmp_path / 'x.pkl', [sample])
        options = ['--cfg-options', f'custom_data.data_root={tmp_path / "data"}']
        options += ['custom_data.val.ann_file=annotations.json']
        options += ['custom_data.val.format=mdetr']
        code, out, err = run('eval_metric', tiny / 'tiny.py', path, *options)
        assert code == 0, err
        assert "'flickr30k/R@1': 100.0" in out

    def test_bad_input(self, run, tiny, found, tmp_path):
        config = tiny / 'tiny.py'
        foreign = predictions.write(tmp_path / 'foreign.pkl', {'state_dict': {}})
        empty = predictions.write(tmp_path / 'empty.pkl', [])
        strange = [predictions.sample(i, [], [], []) for i in (8, 9)]
        others = predictions.write(tmp_path / 'others.pkl', strange)
        labels = [predictions.sample(i, [[0, 0, 9, 9]], [1], [7]) for i in (1, 2)]
        beyond = predictions.write(tmp_path / 'beyond.pkl', labels)
        for path, said in (
            (tmp_path / 'no.pkl', 'does not exist'),
            (tmp_path, 'is a folder'),
            (foreign, 'holds no predictions'),
            (empty, 'predictions of no picture'),
            (others, 'picture 0 has the id 8 there and 1 here'),
            (beyond, 'label 7'),
        ):
            code, _, err = run('eval_metric', config, path)
            assert code == 1
            assert said in one_line(err)
        options = ['--cfg-options', 'test_evaluator.metric_items=["no"]']
        code, _, err = run('eval_metric', config, found, *options)
        assert code == 1
        assert 'metric_items' in one_line(err)
