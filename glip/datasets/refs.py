"""The original files of RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from glip.datasets.coco_file import CocoFile, is_id
from glip.datasets.sample import Dropped, GroundingSample, Phrase
from glip.errors import DatasetError
from glip.received import check_is_file, parse_json
from glip.runtime.plain_pickle import RefusedError, load_plain


def read_refs(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read ``refs(unc).p`` or its like, or the same as JSON, without running code.

    Returns:
        The file's references. Each has ``image_id``, ``ann_id`` (gRefCOCO: a list),
        ``split`` and ``sentences``.

    Raises:
        DatasetError: The file is missing, damaged, asks for code to be run, or is
            something else.
    """
    path = os.fspath(path)
    try:
        check_is_file(path)
        with open(path, 'rb') as file:
            if path.endswith('.json'):
                refs = parse_json(file.read())
            else:
                # Written by Python 2, whose strings are bytes.
                refs = load_plain(file, encoding='utf-8', errors='replace')
    except FileNotFoundError as error:
        raise DatasetError(f'file not found: {os.path.abspath(path)}') from error
    except OSError as error:
        raise DatasetError(f'{path} cannot be read: {error.strerror}') from error
    except RefusedError as error:
        raise DatasetError(
            f'{path} asks for {error}; those of RefCOCO hold plain lists and strings '
            'only, so this one is not read'
        ) from error
    # A damaged pickle calls what it names with anything.
    except Exception as error:  # noqa: BLE001
        raise DatasetError(
            f'{path} is damaged or no file of references ({type(error).__name__})'
        ) from error
    if not isinstance(refs, list) or not refs:
        raise DatasetError(f'{path} holds no list of references')
    for number, ref in enumerate(refs):
        if not _is_reference(ref):
            raise DatasetError(
                f'{path}: entry {number} is no reference with image_id, ann_id, split '
                f'and sentences: {str(ref)[:99]}'
            )
    return refs


def _is_reference(ref: object) -> bool:
    """Whether it has what is read of it."""
    if not isinstance(ref, dict):
        return False
    ids = [ref.get('image_id'), *_listed(ref.get('ann_id'))]
    sentences = ref.get('sentences')
    return (
        'split' in ref
        and all(isinstance(value, (int, str)) for value in ids)
        and isinstance(sentences, list)
        and all(
            isinstance(s, dict) and isinstance(s.get('sent'), str) for s in sentences
        )
    )


def _listed(value: Any) -> list[Any]:
    """One id as the list that gRefCOCO has."""
    return value if isinstance(value, list) else [value]


def splits(refs: list[dict[str, Any]]) -> dict[str, int]:
    """Split -> number of its references."""
    found: dict[str, int] = {}
    for ref in refs:
        found[str(ref['split'])] = found.get(str(ref['split']), 0) + 1
    return found


def read_referring(
    refs: list[dict[str, Any]], coco: CocoFile, dropped: Dropped
) -> Iterator[GroundingSample]:
    """Each sentence as a sample: the whole of it means the box or boxes.

    Args:
        refs: Of ``read_refs``.
        coco: The ``instances.json`` beside them.
        dropped: Counts what is left out.
    """
    images = {image['id']: image for image in coco.images}
    boxes = {
        annotation['id']: annotation['bbox']
        for group in coco.boxes.values()
        for annotation in group
        if is_id(annotation.get('id'))
    }
    for ref in refs:
        where = f'ref {ref.get("ref_id", "?")}'
        image = images.get(ref['image_id'])
        if image is None:
            dropped.add('references to pictures that are not listed', where)
            continue
        of_reference = [boxes[i] for i in _listed(ref['ann_id']) if i in boxes]
        if not of_reference:
            # gRefCOCO has sentences that mean nothing in the picture, on purpose.
            dropped.add('references to no box', where)
            continue
        corners = tuple((x, y, x + w, y + h) for x, y, w, h in of_reference)
        for sentence in ref['sentences']:
            caption = sentence['sent']
            yield GroundingSample.checked(
                file_name=image['file_name'],
                width=image['width'],
                height=image['height'],
                caption=caption,
                phrases=[Phrase(((0, len(caption)),), corners)],
                dropped=dropped,
                where=where,
                image_id=image['id'],
            )
