"""What of a long work is done, so that an interrupted one goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, broadcast_object_list, is_main_process
from mmengine.logging import print_log

from glip.errors import ConfigError
from glip.runtime.processes import of_first
from glip.runtime.reading import read_json
from glip.runtime.writing import write_json

FILE = 'stages.json'


class Stages:
    """Stages of a work by name; the results of finished ones are in ``stages.json``.

    Under torchrun all processes go through the same stages, and the first one's
    results count.

    Args:
        folder: Where the file is, made where it is missing.

    Raises:
        ConfigError: The file there is no such record.
        DatasetError: The file there is damaged.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.file = Path(folder, FILE)
        self._stages: dict[str, Any] = of_first(self._read)

    def run(
        self, name: str, work: Callable[[], Any], about: Mapping[str, Any] | None = None
    ) -> Any:
        """The result of a stage, which is worked on unless it is known.

        Args:
            name: Of the stage.
            work: Gives a result that JSON can hold.
            about: What the result depends on, by name, in plain values.

        Raises:
            ConfigError: The stage was done with other values, or the record cannot be
                written.
        """
        digests = {key: _digest(value) for key, value in (about or {}).items()}
        if name in self._stages:
            self._compare(name, digests)
            print_log(f'{name}: done before', 'current')
            return self._stages[name]['result']
        print_log(f'{name}: begins', 'current')
        result = [work()]
        broadcast_object_list(result)
        self._stages[name] = {'about': digests, 'result': result[0]}
        if is_main_process():
            self._write()
        barrier()
        return result[0]

    def _compare(self, name: str, digests: Mapping[str, str]) -> None:
        before = self._stages[name]['about']
        differing = sorted(
            key for key in {*digests, *before} if digests.get(key) != before.get(key)
        )
        if differing:
            raise ConfigError(
                f'{self.file.parent}: {name} was done with another config, which '
                f'differs in {", ".join(differing)}; go on with that one, or give '
                'another --work-dir'
            )

    def _read(self) -> dict[str, Any]:
        if not self.file.is_file():
            return {}
        content = read_json(os.fspath(self.file))
        if not isinstance(content, dict) or not all(
            isinstance(stage, dict) and {'about', 'result'} <= stage.keys()
            for stage in content.values()
        ):
            raise ConfigError(
                f'{self.file} is no record of stages; give another --work-dir'
            )
        return content

    def _write(self) -> None:
        write_json(self.file, self._stages)


def _digest(value: Any) -> str:
    """A short name for a value."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
