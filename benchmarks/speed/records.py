"""Results of many short runs, collected in one JSON file.

A record has the fields ``case``, ``settings``, ``device``, ``precision``, ``unit``,
``check`` (what the comparison of outputs saw), ``environment``, and ``sides``: for each
its ``label``, whether it is a ``peer``, ``extrapolated``, and the ``values`` of all
runs.
A profile has ``profile`` instead: for each side ``seconds`` and ``gflop`` by stage, and
``gemm``, the rate that the machine reached in the same run.
"""

import json
import statistics
from collections.abc import Iterable
from pathlib import Path

from glip.errors import ConfigError
from glip.runtime.writing import write_text

_KEY = ('case', 'settings', 'device', 'precision')
_FIELDS = {*_KEY, 'unit', 'check', 'environment'}


def load(path: str | Path) -> list[dict]:
    """Records of a file; none where there is none yet.

    Raises:
        ConfigError: The file is not one of results.
    """
    path = Path(path)
    if not path.exists():
        return []
    try:
        records = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f'{path} cannot be read as results: {error}') from None
    if not isinstance(records, list) or not all(map(_is_complete, records)):
        raise ConfigError(f'{path} does not hold results of benchmarks/compare.py')
    return records


def _is_complete(record: object) -> bool:
    return (
        isinstance(record, dict)
        and record.keys() >= _FIELDS
        and ('sides' in record or 'profile' in record)
    )


def add(path: str | Path, record: dict) -> None:
    """Append a record; an older one of the same measurement goes."""
    records = [old for old in load(path) if _key(old) != _key(record)] + [record]
    write_text(path, json.dumps(records, indent=1))


def _key(record: dict) -> tuple:
    return (*(record[field] for field in _KEY), 'profile' in record)


def joined(records: Iterable[dict]) -> dict:
    """One record of several, each of which measured another side."""
    first, *others = records
    sides = [side for record in (first, *others) for side in record['sides']]
    return first | dict(sides=sides)


def middle(side: dict) -> float:
    """The median of a side's runs."""
    return statistics.median(side['values'])
