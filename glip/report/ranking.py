"""The pictures a model does best and worst on, drawn."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from glip.datasets.coco_file import CocoFile
from glip.errors import ConfigError, ImageError, one_line
from glip.evaluation.box_ap import box_ap
from glip.evaluation.detection_rows import DetectionRows
from glip.evaluation.predictions import check_labels, check_pictures, entry_of
from glip.evaluation.truth import Truth, TruthSet
from glip.images import load_image
from glip.runtime.leaves import iter_leaves
from glip.runtime.writing import make_folder, safe_name, write_picture
from glip.visualization.picture import render_beside
from glip.visualization.scene import Scene

_QUALITY = 92


class Ranked(NamedTuple):
    """One picture.

    Attributes:
        number: In the data set.
        ap: Mean AP of the classes annotated in it.
        entry: Its detections.
        truth: What is in it.
        names: The classes.
    """

    number: int
    ap: float
    entry: Mapping[str, Any]
    truth: Truth
    names: tuple[str, ...]


def rank_pictures(
    predictions: Sequence[Mapping[str, Any]], dataset: Any
) -> tuple[list[Ranked], int]:
    """Pictures by their own mean AP, the worst first.

    Args:
        predictions: One for each picture of the data set, in its order.
        dataset: Of COCO-format files; also a joined one.

    Returns:
        The pictures, and how many more have no box to find and thus no AP.

    Raises:
        DatasetError: The predictions are of other pictures, or the data has no
            classes with boxes.
    """
    truths = [TruthSet.of_dataset(part) for part in iter_leaves(dataset)]
    pairs = [(truth, part.coco) for part in truths for truth in part.pictures]
    source = ', '.join(part.coco.path for part in truths)
    check_pictures(predictions, (truth.img_id for truth, _ in pairs), source)
    ranked, empty = [], 0
    for number, (prediction, (truth, coco)) in enumerate(zip(predictions, pairs)):
        entry = entry_of(prediction)
        check_labels([entry], len(coco.names), coco.path)
        ap = picture_ap(entry, truth, coco)
        if math.isnan(ap):
            empty += 1
        else:
            ranked.append(Ranked(number, ap, entry, truth, coco.names))
    return sorted(ranked, key=lambda one: (one.ap, one.number)), empty


def picture_ap(entry: Mapping[str, Any], truth: Truth, coco: CocoFile) -> float:
    """Mean AP of the classes annotated in one picture; nan where there are none.

    Args:
        entry: Detections of the picture.
        truth: Its annotations.
        coco: The file that these are of.
    """
    classes = np.unique(truth.labels[~truth.ignored])
    if not len(classes):
        return math.nan
    partial = [i for i, label in coco.labels.items() if label in truth.partial]
    image = {'id': truth.img_id, 'not_exhaustive_category_ids': partial}
    return box_ap(
        replace(coco, images=(image,)),
        DetectionRows.of([entry]),
        limits=(100,),
        federated=truth.checked is not None,
        classes=classes,
    ).ap()


def draw_best_and_worst(
    ranked: Sequence[Ranked],
    folder: str | os.PathLike[str],
    *,
    topk: int = 20,
    score_thr: float = 0.0,
    show: Callable[[Image.Image, str], None] | None = None,
) -> tuple[list[Path], list[str]]:
    """Write pictures into the folders ``good`` and ``bad``.

    What is annotated and what is found stand side by side. The names of the files end
    with the AP.

    Args:
        ranked: The worst first.
        folder: Where to; made where it is missing.
        topk: How many of each; at most half of all.
        score_thr: Weaker detections are not drawn.
        show: Also given each image with its title.

    Returns:
        The files, and what could not be drawn.

    Raises:
        ConfigError: It cannot be written there, or a number has no meaning.
    """
    if topk < 1 or not 0 <= score_thr <= 1:
        raise ConfigError(
            f'--topk {topk} must be at least 1, and --show-score-thr {score_thr} lie '
            'between 0 and 1'
        )
    count = min(topk, max(1, len(ranked) // 2))
    chosen = {'good': ranked[::-1][:count], 'bad': ranked[:count]}
    files, trouble = [], []
    for name, pictures in chosen.items():
        home = make_folder(Path(folder, name))
        for one in pictures:
            try:
                image = _drawn(one, score_thr)
            except ImageError as error:
                trouble.append(one_line(error))
                continue
            stem = safe_name(Path(one.truth.path).stem)
            file = home / f'{stem}_{one.ap:.3f}.jpg'
            if file in files:  # pictures of one name in several folders
                file = home / f'{stem}_{one.number}_{one.ap:.3f}.jpg'
            try:
                write_picture(file, image, quality=_QUALITY)
            except ConfigError as error:  # the others may be written nevertheless
                trouble.append(one_line(error))
                continue
            files.append(file)
            if show:
                show(image, f'{name}: {stem}, AP {one.ap:.3f}')
    return files, trouble


def _drawn(one: Ranked, score_thr: float) -> Image.Image:
    """Truth and detections side by side."""
    truth = Scene(
        image=load_image(one.truth.path)[..., ::-1],
        caption='',
        phrases=((),) * len(one.names),
        names=one.names,
        boxes=one.truth.boxes,
        labels=one.truth.labels,
        ignored=one.truth.ignored,
    )
    shown = one.entry['scores'] >= score_thr
    detected = replace(
        truth,
        boxes=one.entry['bboxes'][shown],
        labels=one.entry['labels'][shown],
        ignored=np.zeros(int(shown.sum()), dtype=bool),
        scores=one.entry['scores'][shown],
    )
    title = f'{Path(one.truth.path).name}  AP {one.ap:.3f}'
    heading = f'found with a score from {score_thr:g}' if score_thr else 'found'
    return render_beside([('annotated', truth), (heading, detected)], title=title)
