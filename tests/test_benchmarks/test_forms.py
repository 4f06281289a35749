"""Forms of the model are held against the plain one."""

from __future__ import annotations

import copy

import pytest
import torch

from benchmarks import forms
from benchmarks.speed.contestants import Contestant


def rows(subjects, *options):
    args = forms.parse_args(['--compile', '--size', '64', '96', *options])
    return {cells[1]: cells for cells in forms.rows_of('B', args, subjects)}


def test_kernels_agree(fresh):
    table = rows(fresh)
    assert list(table) == ['kernels, fp32', 'kernels, bf16']
    for _, _, boxes, losses, gradients, agrees in table.values():
        count, total = map(int, boxes.split('/'))
        assert 0 < count <= total
        assert agrees == 'yes' and losses and gradients


def test_another_model_does_not(fresh, monkeypatch):
    other = copy.deepcopy(fresh.ours)
    with torch.no_grad():
        other.bbox_head.head.bbox_pred.weight.mul_(3)
    wrong = [Contestant('ours', other, False)]
    monkeypatch.setattr(forms, 'contestants', lambda job, subjects: wrong)
    assert rows(fresh, '--precision', 'fp32')['kernels, fp32'][-1] == 'NO'


def test_other_gradients_do_not(fresh, monkeypatch):
    monkeypatch.setattr(forms, 'LOSSES', -1.0)
    assert rows(fresh, '--precision', 'fp32')['kernels, fp32'][-1] == 'NO'


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_without_a_gpu(capsys):
    assert forms.main(['--device', 'cuda']) == 0
    assert 'no CUDA device' in capsys.readouterr().out
