"""Results of a test as JSON: all numbers, from one process."""

import json
from types import SimpleNamespace

import pytest

from glip.engine.hooks import LoggerHook
from glip.registry import HOOKS


@pytest.mark.parametrize('rank', [0, 1])
def test_one_process_writes(tmp_path, rank):
    tags = {'flickr30k/R@1': 12.5}
    lines = []
    runner = SimpleNamespace(
        rank=rank,
        log_dir=str(tmp_path),
        test_dataloader=[1, 2],
        logger=SimpleNamespace(info=lines.append),
        log_processor=SimpleNamespace(
            get_log_after_epoch=lambda *_, **__: (tags, 'R@1: 12.5')
        ),
    )
    hook = HOOKS.build(dict(type='LoggerHook'))
    assert isinstance(hook, LoggerHook)
    hook.json_log_path = 'now.json'
    hook.after_test_epoch(runner, tags)
    written = [json.loads(path.read_text()) for path in tmp_path.iterdir()]
    assert written == [tags] * (rank == 0)
    assert len(lines) == (rank == 0)
