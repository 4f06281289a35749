"""Configs whose text is for programs: laying it out for readers takes seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.config import Config


def unformatted(cfg: Config) -> Config:
    """A copy whose ``pretty_text`` is valid Python, but not laid out."""
    return Config(cfg.to_dict(), filename=cfg.filename, format_python_code=False)


@contextmanager
def unformatted_config(runner: Any) -> Iterator[None]:
    """Within it a runner has such a copy as its config, the text of checkpoints."""
    cfg = runner.cfg
    runner.cfg = unformatted(cfg)
    try:
        yield
    finally:
        runner.cfg = cfg
