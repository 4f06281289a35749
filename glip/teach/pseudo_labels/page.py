"""A page to look at: what a labelling found, and some of its pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glip.errors import DatasetError, ImageError, one_line
from glip.images import load_image
from glip.report.page import PageWriter, bars, fitted, ranking
from glip.teach.pseudo_labels.items import Source
from glip.teach.pseudo_labels.labeller import pixels_of
from glip.teach.pseudo_labels.tars import read_member
from glip.visualization.scene import Scene, make_scene

_SHOWN = 30  # phrases of each table


def write_page(
    folder: Path, source: Source, drawn: Sequence[Any], summary: Mapping[str, Any]
) -> Path:
    """Write ``summary.html`` and the pages that follow it.

    Args:
        folder: Where to.
        source: Where the pictures are.
        drawn: Of :class:`~glip.teach.pseudo_labels.statistics.Statistics`.
        summary: Its summary.

    Returns:
        The first page.
    """
    pages = PageWriter(folder, 'Labels of a teacher', name='summary')
    for _, share, number, pairs in drawn:
        name = pairs[0][0]['filename']
        try:
            if source.holds_pictures:
                path = source.shares[share].where[0]
                pixels = pixels_of(read_member(path, number), name)
            else:
                pixels = load_image(os.path.join(source.folder, name))
        except (ImageError, DatasetError) as error:
            pages.add(name, (), [one_line(error)])
            continue
        image, factor = fitted(pixels[..., ::-1])
        pages.add(name, [('', _scene(image, factor, *pair)) for pair in pairs])
    return pages.finish(_facts(summary))


def _scene(
    image: np.ndarray, factor: float, record: Mapping[str, Any], absent: Sequence[Any]
) -> Scene:
    """One record over its picture."""
    boxes, scores, labels = [], [], []
    if 'detection' in record:
        instances = record['detection']['instances']
        names = sorted({instance['category'] for instance in instances})
        for instance in instances:
            boxes.append(instance['bbox'])
            scores.append(instance['score'])
            labels.append(names.index(instance['category']))
        prompt: dict[str, Any] = {'names': names}
    else:
        grounding = record['grounding']
        spans = [region['tokens_positive'] for region in grounding['regions']]
        for label, region in enumerate(grounding['regions']):
            several = 'scores' in region
            boxes += region['bbox'] if several else [region['bbox']]
            scores += region['scores'] if several else [region['score']]
            labels += [label] * (len(region['scores']) if several else 1)
        spans += [[span] for span in absent]
        prompt = {'text': grounding['caption'], 'tokens_positive': spans}
    scaled = np.asarray(boxes, dtype=float).reshape(-1, 4) * factor
    return make_scene(image, scaled, labels, scores=scores, **prompt)


def _facts(summary: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Name and value of what stands on top of the page."""
    histogram = summary['score_histogram']
    edges = histogram['edges']
    phrases = summary['phrases']
    without = summary['phrases_without_boxes']
    facts: list[tuple[str, Any]] = [
        (
            'pictures',
            f'{summary["pictures"]}, with {summary["captions"]} captions, of which '
            f'{summary["captions_without_boxes"]} have no box',
        ),
        ('records', str(summary['records'])),
        (
            'boxes',
            f'{summary["boxes"]} ({summary["boxes_per_picture"]:.2f} per picture)',
        ),
        (
            'phrases and classes',
            f'{phrases}, of which {without} ({without / max(phrases, 1):.0%}) have no '
            'box',
        ),
    ]
    facts += [
        (f'stopped by {name}', f'{count} boxes')
        for name, count in summary['screened'].items()
    ]
    facts += [
        (reason, f'{entry["count"]} ({", ".join(entry["examples"])})')
        for reason, entry in summary['dropped'].items()
    ]
    facts += [
        ('scores', bars([f'{e:.2f}' for e in edges[:-1]], histogram['counts'])),
        ('boxes per phrase', bars(*zip(*summary['boxes_per_phrase'].items()))),
        ('often with boxes', ranking(summary['common_phrases_with_boxes'][:_SHOWN])),
        (
            'often without boxes',
            ranking(summary['common_phrases_without_boxes'][:_SHOWN]),
        ),
    ]
    return facts
