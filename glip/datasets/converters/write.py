"""Samples to the files of ODVG."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence

from glip.datasets.converters.output import (
    PathLike,
    atomic_text,
    check_distinct,
    check_output,
    compact_json,
    write_line,
)
from glip.datasets.converters.records import detection_record, grounding_record
from glip.datasets.converters.result import Result, require
from glip.datasets.sample import DetectionSample, Dropped, GroundingSample
from glip.errors import DatasetError
from glip.received import kind_of


def write_detection(
    samples: Iterable[DetectionSample],
    names: Sequence[str],
    output: PathLike,
    *,
    inputs: Sequence[PathLike],
    dropped: Dropped,
    label_map: PathLike | None = None,
    notes: tuple[str, ...] = (),
) -> Result:
    """Write detection records, one a line, and the label map.

    A picture without boxes becomes a record as well: that nothing of any class is in
    it can be learned from.

    Args:
        samples: Consumed one by one.
        names: What their labels index.
        output: File of the records.
        inputs: Files that ``samples`` reads; neither result may be one of them.
        dropped: What the reader counts while ``samples`` is consumed.
        label_map: File of the names, by default the records' name with
            ``_label_map.json`` at its end.
        notes: Passed to the result.

    Raises:
        DatasetError: A file cannot be written, or there is no sample.
    """
    output = os.fspath(output)
    if label_map is None:
        label_map = os.path.splitext(output)[0] + '_label_map.json'
    check_files(inputs, [output, label_map])
    written = Counter(pictures=0, boxes=0, classes=len(names))
    with atomic_text(label_map) as names_file, atomic_text(output) as file:
        names_file.write(compact_json(dict(enumerate(names))) + '\n')
        for sample in samples:
            write_line(file, detection_record(sample, names))
            written['pictures'] += 1
            written['boxes'] += len(sample.boxes)
        require(written['pictures'], dropped)
    return Result(output, written, dropped, (os.fspath(label_map),), notes)


def write_grounding(
    samples: Iterable[GroundingSample],
    output: PathLike,
    *,
    inputs: Sequence[PathLike],
    dropped: Dropped,
) -> Result:
    """Write grounding records, one a line; captions without a box are left out.

    Args:
        samples: Consumed one by one.
        output: File of the records.
        inputs: Files that ``samples`` reads; the result may not be one of them.
        dropped: What the reader counts while ``samples`` is consumed.

    Raises:
        DatasetError: The file cannot be written, or there is no sample.
    """
    output = os.fspath(output)
    check_files(inputs, [output])
    written = Counter(captions=0, phrases=0, boxes=0)
    with atomic_text(output) as file:
        for sample in samples:
            if not sample.phrases:
                dropped.add('captions without a box', sample.file_name)
                continue
            write_line(file, grounding_record(sample))
            written['captions'] += 1
            written['phrases'] += len(sample.phrases)
            written['boxes'] += sum(len(p.boxes) for p in sample.phrases)
        require(written['captions'], dropped)
    return Result(output, written, dropped)


def check_files(inputs: Sequence[PathLike], outputs: Sequence[PathLike]) -> None:
    """Look before a long reading whether the results could be written after it.

    Raises:
        DatasetError: A file to read is not there; a result is a folder, would
            overwrite what is read, or another result.
    """
    for source in map(os.fspath, inputs):
        try:
            kind = kind_of(source)
        except FileNotFoundError as error:
            raise DatasetError(f'file not found: {os.path.abspath(source)}') from error
        except OSError as error:
            raise DatasetError(f'{source} cannot be read: {error.strerror}') from error
        if kind is not None:
            raise DatasetError(f'{source} is {kind}; name a file')
    check_distinct(outputs)
    for path in outputs:
        check_output(path, inputs)
