"""What grows is what is measured."""

from __future__ import annotations

import pytest
from tiny_model import tiny_detector

from benchmarks import scaling


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(scaling, '_SIDES', (32, 64))
    monkeypatch.setattr(scaling, '_SIDE', 64)
    monkeypatch.setattr(scaling, '_COUNTS', (1, 3))
    monkeypatch.setattr(scaling, '_PROMPTS', (1, 2))
    monkeypatch.setattr(scaling, '_BATCHES', (1, 2))
    return tiny_detector()


def test_what_reaches_the_network(small):
    shapes = []
    small.model.backbone.register_forward_pre_hook(
        lambda _, inputs: shapes.append(tuple(inputs[0].shape))
    )
    counts = {}
    for axis, points in scaling.axes_of(small).items():
        for number, call in points.items():
            shapes.clear()
            call()
            counts[axis, number] = [(shape[0], shape[2]) for shape in shapes]
    assert counts['picture, pixels', 32 * 32] == [(1, 32)]
    assert counts['picture, pixels', 64 * 64] == [(1, 64)]
    assert sum(n for n, _ in counts['pictures in a batch', 2]) == 2


def test_table_and_chart(small, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(scaling.glip, 'load', lambda *_: small)
    chart = tmp_path / 'scaling.png'
    assert scaling.main(['--runs', '1', '--processes', '--chart', str(chart)]) == 0
    assert chart.stat().st_size > 1000
    rows = capsys.readouterr().out.splitlines()[4:]
    assert [row.split('|')[1].strip() for row in rows] == list(scaling.axes_of(small))


def test_exponents():
    assert scaling.exponent({1: 3.0, 2: 12.0, 4: 48.0}) == pytest.approx(2)


def test_names_differ():
    assert len(set(scaling.names(320))) == 320
