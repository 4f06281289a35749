"""Two processes started by torchrun train what one does with the doubled batch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glip.checkpoints import load_state_dict

ROOT = Path(__file__).parents[2]
OPTIONS = [
    *('--cfg-options', 'train_cfg.max_epochs=2', 'custom_data.val=None'),
    # Dropout draws by process, so the same numbers need it off.
    'model.language_model.config.hidden_dropout_prob=0.0',
    'model.language_model.config.attention_probs_dropout_prob=0.0',
    'model.bbox_head.fusion.dropout=0.0',
    'default_hooks.checkpoint.save_best=None',
]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_state_dict(path)


@pytest.mark.slow
def test_same_weights(tiny, tmp_path, train_tool):
    alone, together = tmp_path / 'alone', tmp_path / 'together'
    config = str(tiny / 'tiny.py')
    assert train_tool([config, '--work-dir', str(alone), *OPTIONS]) == 0
    command = [
        *(sys.executable, '-m', 'torch.distributed.run', '--standalone'),
        *('--nproc_per_node', '2', 'tools/train.py', config, '--launcher', 'pytorch'),
        *('--work-dir', str(together), *OPTIONS, 'custom_data.batch_size=1'),
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    start = weights(alone / 'epoch_1.pth')
    expected, found = (weights(d / 'epoch_2.pth') for d in (alone, together))
    assert expected.keys() == found.keys()
    assert any(not start[key].equal(expected[key]) for key in expected)
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-3, atol=1e-5)
