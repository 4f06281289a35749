"""What tools/test.py can be told, by the command line."""

import http.server
import json
import pickle
import threading

import pytest
import torch
from mmengine.config import Config

from glip.config.custom_data import apply_custom_data
from glip.registry import MODELS


@pytest.fixture(scope='module')
def weights(tiny):
    """Weights of the tiny model, as training would leave them."""
    cfg = apply_custom_data(Config.fromfile(tiny / 'tiny.py'))
    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry('glip'):
        model = MODELS.build(cfg.model)
    path = tiny / 'weights.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


@pytest.fixture
def evaluate(tiny, weights, test_tool, tmp_path):
    """Run the tool in a folder of its own; returns what ``--out`` and results hold."""

    def run(*options, code=0, checkpoint=weights):
        out = tmp_path / 'out.pkl'
        arguments = [tiny / 'tiny.py', checkpoint, '--work-dir', tmp_path / 'run']
        arguments += ['--out', out, *options]
        assert test_tool([str(a) for a in arguments]) == code
        if code:
            return None
        newest = max((tmp_path / 'run').glob('*/*.json'))
        with out.open('rb') as file:
            found = pickle.load(file)
        results = json.loads(newest.read_text())
        return found, {k: v for k, v in results.items() if k.startswith('coco/')}

    return run


def test_tta_of_any_config_keeps_the_prompt(evaluate):
    plain, _ = evaluate()
    found, results = evaluate('--tta')
    assert 'coco/bbox_mAP' in results
    for picture, before in zip(found, plain, strict=True):
        assert picture['img_id'] == before['img_id']
        assert tuple(picture['text']) == ('red', 'green', 'blue')
        # Three sizes, each also mirrored, find more than one view's five boxes did,
        # but the limit is the same.
        assert len(picture['pred_instances']['scores']) == 5
        assert picture['pred_instances']['label_names']
        assert picture['pred_instances']['scores'][0] >= (
            before['pred_instances']['scores'][0] - 1e-6
        )


@pytest.mark.slow
def test_batch_size_and_resume(evaluate, tmp_path, capsys):
    one, first = evaluate()
    three, second = evaluate('--batch-size', '3')
    again, third = evaluate('--batch-size', '1', '--resume')
    assert first == second == third
    for pictures in (three, again):
        for found, expected in zip(pictures, one, strict=True):
            for key in ('bboxes', 'scores', 'labels'):
                assert torch.equal(
                    found['pred_instances'][key], expected['pred_instances'][key]
                )
    evaluate('--resume', '--cfg-options', 'model.test_cfg.score_agg=MAX', code=1)
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith('error: --resume: ') and 'config' in message
    evaluate('--batch-size', '0', code=1)
    assert '--batch-size' in capsys.readouterr().err


def test_aggregation_by_the_command_line(evaluate, capsys):
    mean, _ = evaluate()
    best, _ = evaluate('--cfg-options', 'model.test_cfg.score_agg=MAX')
    for one, other in zip(mean, best, strict=True):
        # Names of one token have one probability, whatever is made of it.
        torch.testing.assert_close(
            one['pred_instances']['scores'], other['pred_instances']['scores']
        )
    evaluate('--cfg-options', 'model.test_cfg.score_agg=SUM', code=1)
    assert "'SUM'" in capsys.readouterr().err


def test_plots_are_written_where_told(evaluate, tmp_path):
    evaluate('--plots', tmp_path / 'plots')
    assert (tmp_path / 'plots' / 'pr_curves.png').is_file()
    evaluate('--plots')
    assert list((tmp_path / 'run').glob('*/plots/summary.json'))


def test_ctrl_c_says_how_to_go_on(evaluate, monkeypatch, capsys):
    from glip.models import GLIP

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(GLIP, 'test_step', stop)
    evaluate(code=130)
    assert '--resume' in capsys.readouterr().err.strip().splitlines()[-1]


class Cutting(http.server.BaseHTTPRequestHandler):
    """A server whose connections break after some bytes."""

    data = b''
    most = 0
    asked: list[str | None] = []

    def do_GET(self):
        asked = self.headers.get('Range')
        self.asked.append(asked)
        start = int(asked.removeprefix('bytes=').rstrip('-')) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header('Content-Length', str(len(self.data) - start))
        if asked:
            last = len(self.data) - 1
            self.send_header('Content-Range', f'bytes {start}-{last}/{last + 1}')
        self.end_headers()
        self.wfile.write(self.data[start : start + self.most])

    def log_message(self, *args):
        pass


def test_an_interrupted_download_goes_on(
    evaluate, weights, monkeypatch, tmp_path, capsys
):
    from glip.checkpoints import download

    monkeypatch.setenv('GLIP_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setattr(download.time, 'sleep', lambda seconds: None)
    Cutting.data, Cutting.asked = weights.read_bytes(), []
    Cutting.most = len(Cutting.data) // 6
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Cutting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f'http://127.0.0.1:{server.server_port}/weights.pth'
    try:
        evaluate(checkpoint=url, code=1)
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert said.startswith('error: cannot download') and 'are kept' in said
        attempts = len(Cutting.asked)
        Cutting.most = len(Cutting.data)
        assert evaluate(checkpoint=url)
        # Not one byte came twice.
        assert Cutting.asked[attempts].startswith('bytes=')
        assert Cutting.asked[attempts] != 'bytes=0-'
    finally:
        server.shutdown()


def test_half_precision_is_near_and_is_not_resumed_in_full(evaluate, capsys):
    plain, _ = evaluate()
    found, results = evaluate('--amp')
    assert 'coco/bbox_mAP' in results
    differ = False
    for picture, before in zip(found, plain, strict=True):
        half, full = (p['pred_instances']['scores'] for p in (picture, before))
        assert half.dtype == full.dtype
        torch.testing.assert_close(half, full, atol=0.02, rtol=0)
        differ |= not torch.equal(half, full)
    assert differ
    evaluate('--resume', code=1)
    assert 'model config' in capsys.readouterr().err


def test_compile_reaches_the_model(evaluate, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(
        'glip.engine.test_loop.compile_for_inference',
        lambda model, options: seen.append((type(model).__name__, options)),
    )
    evaluate('--compile', 'reduce-overhead')
    assert seen == [('GLIP', dict(mode='reduce-overhead'))]
    evaluate('--cfg-options', 'test_cfg.compile.mode=fast', code=1)
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith('error: compile: ') and 'reduce-overhead' in said
