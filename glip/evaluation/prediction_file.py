"""All predictions of an evaluation in one file."""

from __future__ import annotations

import os
from typing import Any

from mmdet.evaluation import DumpDetResults
from mmengine.fileio import dump

from glip.registry import METRICS
from glip.runtime.atomic import atomic_write
from glip.runtime.writing import check_place, writing_to


@METRICS.register_module()
class PredictionFile(DumpDetResults):
    """mmdet's metric that writes the .pkl of ``--out``, whole or not at all.

    Raises:
        ConfigError: It could not be written.
    """

    def __init__(self, out_file_path: str | os.PathLike[str], **kwargs: Any) -> None:
        super().__init__(out_file_path=os.fspath(out_file_path), **kwargs)
        check_place(out_file_path)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Write the file; there are no results."""
        path = self.out_file_path
        with writing_to(path), atomic_write(path) as part, part.open('wb') as file:
            dump(results, file, file_format='pkl')
        return {}
