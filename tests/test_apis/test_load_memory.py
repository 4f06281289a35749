"""Loading a model takes hardly more memory than its weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import glip
from glip.apis import build_model, read_config
from glip.checkpoints import load_into
from glip.paths import config_root

_ROOT = Path(glip.__file__).resolve().parent.parent
_CONFIG = config_root() / 'glip' / 'glip_nano_csp_minilm.py'
# A language model of 150 MB, beside which the rest is small.
_SHAPE = dict(
    hidden_size=768, num_hidden_layers=2, intermediate_size=3072, num_attention_heads=12
)
_CODE = """
import json, resource, sys
import glip
from glip.apis import read_config
glip.load('glip-nano', device='cpu')
cfg = read_config(sys.argv[1])
cfg.model.language_model.config.update(json.loads(sys.argv[2]))

def memory(field):
    for line in open('/proc/self/status'):
        if line.startswith(field):
            return int(line.split()[1]) * 1024

with open('/proc/self/clear_refs', 'w') as file:
    file.write('5')  # forget the peak
before = memory('VmRSS')
model = glip.load(cfg, sys.argv[3], device='cpu').model
name = 'language_model.language_backbone.body.model.embeddings.word_embeddings.weight'
print(memory('VmHWM') - before, float(model.state_dict()[name].double().sum()))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_peak_of_loading_is_the_size_of_the_file(suffix, tmp_path):
    torch.manual_seed(0)
    cfg = read_config(_CONFIG)
    cfg.model.language_model.config.update(_SHAPE)
    state = build_model(cfg).state_dict()
    file = tmp_path / f'weights{suffix}'
    if suffix == '.pth':
        torch.save(dict(state_dict=state), file)
    else:
        save_file(state, file)
    done = subprocess.run(
        [sys.executable, '-c', _CODE, str(_CONFIG), json.dumps(_SHAPE), str(file)],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | dict(PYTHONPATH=str(_ROOT)),
    )
    assert done.returncode == 0, done.stderr
    growth, total = map(float, done.stdout.split())
    assert growth <= 1.2 * file.stat().st_size
    (name,) = (key for key in state if key.endswith('word_embeddings.weight'))
    assert total == pytest.approx(state[name].double().sum().item())


def test_a_loaded_model_leaves_its_file_alone(tmp_path):
    file = tmp_path / 'weights.pth'
    state = glip.load('glip-nano', device='cpu').model.state_dict()
    torch.save(dict(state_dict=state), file)
    content = file.read_bytes()
    detector = glip.load(read_config(_CONFIG), file, device='cpu')
    with torch.no_grad():
        for parameter in detector.model.parameters():
            parameter.add_(1)
    assert file.read_bytes() == content
    for name, tensor in glip.load('glip-nano', device='cpu').model.state_dict().items():
        assert torch.equal(tensor, state[name])


def test_a_state_dict_of_the_caller_is_copied():
    detector = glip.load('glip-nano', device='cpu')
    state = {k: v.clone() for k, v in detector.model.state_dict().items()}
    kept = {k: v.clone() for k, v in state.items()}
    load_into(detector.model, state)
    with torch.no_grad():
        for parameter in detector.model.parameters():
            parameter.zero_()
    assert all(torch.equal(state[name], kept[name]) for name in state)
