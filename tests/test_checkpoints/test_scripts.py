"""The converter and the language-model script as users run them."""

import runpy
import sys
from pathlib import Path

import pytest
import torch

from glip.checkpoints import load_state_dict

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def run(monkeypatch, script: str, *args) -> int:
    monkeypatch.setattr(sys, 'argv', [script, *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(TOOLS / script), run_name='__main__')
    return caught.value.code


@pytest.mark.parametrize('name', ['out/ours.pth', 'ours.safetensors'])
def test_glip_to_mmdet(tmp_path, monkeypatch, capsys, original, ours, name):
    src, dst = tmp_path / 'glip.pth', tmp_path / name
    torch.save({'model': {f'module.{k}': v for k, v in original.items()}}, src)
    script = 'model_converters/glip_to_mmdet.py'
    assert run(monkeypatch, script, src, dst) == 0
    assert f'{len(ours)} tensors' in capsys.readouterr().out
    state = load_state_dict(dst)
    assert state.keys() == ours.keys()
    assert all(torch.equal(state[name], ours[name]) for name in ours)


def test_glip_to_mmdet_in_place_and_half(tmp_path, monkeypatch, original):
    path = tmp_path / 'w.pth'
    torch.save({'model': original}, path)
    script = 'model_converters/glip_to_mmdet.py'
    assert run(monkeypatch, script, path, path, '--half') == 0
    state = torch.load(path, weights_only=True)['state_dict']
    assert state['bbox_head.head.bias0'].dtype == torch.float16


def test_glip_to_mmdet_refuses_in_one_line(tmp_path, monkeypatch, capsys):
    src, dst = tmp_path / 'bad.pth', tmp_path / 'out.pth'
    src.write_bytes(b'PK\x03\x04rubbish')
    assert run(monkeypatch, 'model_converters/glip_to_mmdet.py', src, dst) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ') and error.count('\n') == 1
    assert not dst.exists()


def test_save_bert(tmp_path, monkeypatch, capsys):
    out = tmp_path / 'bert'
    assert run(monkeypatch, 'misc/save_bert.py', out, '--no-weights') == 0
    assert (out / 'config.json').is_file() and str(out) in capsys.readouterr().out
    assert run(monkeypatch, 'misc/save_bert.py', out, '--source', tmp_path) == 1
    assert capsys.readouterr().err.startswith('error: ')
