"""MDETR's annotation files to ODVG: GoldG (Flickr30k, GQA, mixed) and RefCOCO."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from glip.datasets.coco_file import read_coco
from glip.datasets.converters.from_coco import default_output
from glip.datasets.converters.output import PathLike
from glip.datasets.converters.result import Result
from glip.datasets.converters.write import check_files, write_grounding
from glip.datasets.mdetr import MDETRDataset
from glip.datasets.refs import read_referring, read_refs, splits
from glip.datasets.sample import Dropped, GroundingSample
from glip.errors import DatasetError
from glip.runtime.progress import track

_FAMILY = ('refcoco', 'refcoco+', 'refcocog', 'grefcoco')


def mdetr_to_odvg(path: PathLike, output: PathLike | None = None) -> Result:
    """Write one grounding record per caption.

    Boxes of the same characters of a caption become one region; the same words at
    two places stay two regions.

    Args:
        path: An annotation file of MDETR's layout.
        output: Records to write, by default ``<path without .json>_vg.json``.

    Raises:
        DatasetError: The file cannot be used, or the records not be written.
    """
    path = os.fspath(path)
    output = default_output(path, '_vg') if output is None else os.fspath(output)
    check_files([path], [output])
    dropped = Dropped(path)
    dataset = MDETRDataset(ann_file=path, lazy_init=True)
    dataset.dropped = dropped

    def samples() -> Iterator[GroundingSample]:
        yield from track(dataset.samples(), lambda: dataset.num_listed, 'captions')

    return write_grounding(samples(), output, inputs=[path], dropped=dropped)


def refcoco_to_odvg(
    source: PathLike,
    out_dir: PathLike | None = None,
    *,
    split: str = 'train',
    split_by: str | None = None,
) -> list[Result]:
    """Write the records of RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO.

    Args:
        source: MDETR's folder with ``finetune_refcoco_train.json`` and its like, of
            which those that are there are converted; one such file; or one folder of
            the original release, with ``instances.json`` and ``refs(...).p``.
        out_dir: Folder of the records, by default beside their sources.
        split: Which part: train, val, testA, testB or test.
        split_by: Who made the split of the original release (unc, google, umd),
            where the folder has files of several.

    Raises:
        DatasetError: Nothing to convert is there, or it cannot be used.
    """
    source = Path(source)
    if not source.is_dir():
        return [_into(source, out_dir)]
    references = sorted(
        path for path in source.iterdir() if re.fullmatch(r'g?refs\(.*\)', path.stem)
    )
    if references:
        return [_original(source, references, out_dir, split, split_by)]
    files = [source / f'finetune_{name}_{split}.json' for name in _FAMILY]
    present = [path for path in files if path.is_file()]
    if not present:
        raise DatasetError(
            f'{source} has none of {", ".join(path.name for path in files)}, and no '
            'refs(...).p beside an instances.json'
        )
    return [_into(path, out_dir) for path in present]


def _into(path: Path, out_dir: PathLike | None) -> Result:
    """One file of MDETR's, into a folder of one's choice."""
    name = default_output(path.name, '_vg')
    return mdetr_to_odvg(path, Path(out_dir or path.parent) / name)


def _original(
    folder: Path,
    references: list[Path],
    out_dir: PathLike | None,
    split: str,
    split_by: str | None,
) -> Result:
    """One data set of the original release."""
    names = [path.name for path in references]
    if split_by is not None:
        references = [p for p in references if p.stem.endswith(f'({split_by})')]
    if len(references) != 1:
        raise DatasetError(
            f'{folder} has {", ".join(names)}; choose one with --split-by (unc, '
            'google, umd)'
        )
    instances = folder / 'instances.json'
    output = Path(out_dir or folder) / f'{folder.resolve().name}_{split}_vg.json'
    check_files([references[0], instances], [output])
    refs = read_refs(references[0])
    present = splits(refs)
    if split not in present:
        raise DatasetError(
            f'{references[0]} has no split {split!r}, but {", ".join(sorted(present))}'
        )
    refs = [ref for ref in refs if str(ref['split']) == split]
    dropped = Dropped(os.fspath(references[0]))
    coco = read_coco(instances, dropped=dropped)
    return write_grounding(
        read_referring(track(refs, len(refs), 'references'), coco, dropped),
        output,
        inputs=[references[0], instances],
        dropped=dropped,
    )
