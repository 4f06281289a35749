r"""Measure how well a model finds everyday things by name, beyond AP.

    python -m benchmarks.everyday glip-nano --data data/coco_mini:val2017 \
        --data data/coco128:val2017 --words words.json

A data set is a folder in COCO's layout (annotations/instances_SPLIT.json and SPLIT/).
Printed are AP with all names as one prompt; with the classes of a picture as prompt,
how often the best box is right; with five absent classes beside them, precision and
recall at a threshold and absent words with a box; and, if words are given, AP of the
classes asked for by their own names and by those words.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torchvision.ops import box_iou

import glip
from glip.apis import Detector
from glip.datasets.coco_file import CocoFile, read_coco
from glip.evaluation.box_ap import DetectionRows, box_ap
from glip.runtime.command import command
from glip.runtime.progress import track

_ABSENT = 5
_THRESHOLDS = np.arange(0.05, 0.75, 0.01)


@dataclass
class Picture:
    """A picture, encoded once, and its boxes (x1, y1, x2, y2) by class name."""

    id: int
    encoded: object
    boxes: dict[str, list[list[float]]] = field(
        default_factory=lambda: defaultdict(list)
    )


def read_pictures(detector: Detector, source: str) -> tuple[CocoFile, list[Picture]]:
    """Read and encode a set given as FOLDER:SPLIT."""
    folder, _, split = source.rpartition(':')
    coco = read_coco(Path(folder, 'annotations', f'instances_{split}.json'))
    pictures = []
    for image in track(coco.images, len(coco.images), source):
        path = Path(folder, split, image['file_name'])
        picture = Picture(image['id'], detector.encode(path))
        for box in coco.boxes[image['id']]:
            if not box['iscrowd']:
                x, y, w, h = box['bbox']
                name = coco.names[coco.labels[box['category_id']]]
                picture.boxes[name].append([x, y, x + w, y + h])
        pictures.append(picture)
    return coco, pictures


def hits_of(boxes: np.ndarray, truth: list, iou_threshold: float = 0.5) -> np.ndarray:
    """Whether each box, best first, hits a true box that no better one has hit."""
    hits = np.zeros(len(boxes), dtype=bool)
    if not len(boxes) or not truth:
        return hits
    ious = box_iou(torch.as_tensor(boxes), torch.tensor(truth).float()).numpy()
    for i in range(len(boxes)):
        best = ious[i].argmax()
        if ious[i, best] >= iou_threshold:
            hits[i] = True
            ious[:, best] = -1
    return hits


def count_top_boxes(
    detector: Detector, pictures: list[Picture], limit: int
) -> tuple[int, int]:
    """Pictures whose best box for the present classes is right, and all of them."""
    pictures = [picture for picture in pictures if picture.boxes][:limit]
    right = 0
    for picture in pictures:
        detections = detector(picture.encoded, list(picture.boxes), threshold=0.0)
        if len(detections):
            truth = picture.boxes[detections.names[0]]
            right += bool(hits_of(detections.boxes[:1], truth)[0])
    return right, len(pictures)


@dataclass
class Answers:
    """Detections of prompts of present and absent classes.

    Attributes:
        scores: Of all detections.
        hits: Whether each is right.
        absent: Best score of each absent word; 0 for none.
        num_boxes: Boxes to be found.
    """

    scores: np.ndarray
    hits: np.ndarray
    absent: np.ndarray
    num_boxes: int

    def at(self, threshold: float) -> dict[str, float]:
        """Precision, recall and F1 in percent, and absent words with a box."""
        shown = self.scores >= threshold
        right = self.hits[shown].sum()
        precision = right / max(1, shown.sum())
        recall = right / max(1, self.num_boxes)
        return dict(
            threshold=float(threshold),
            precision=100 * precision,
            recall=100 * recall,
            f1=200 * precision * recall / max(1e-9, precision + recall),
            absent_with_box=int((self.absent >= threshold).sum()),
            absent_asked=len(self.absent),
        )


def ask_present_and_absent(
    detector: Detector, coco: CocoFile, pictures: list[Picture]
) -> Answers:
    """Ask for the classes of each picture and some that are not in it."""
    generator = random.Random(0)
    scores, hits, absent = [], [], []
    for picture in pictures:
        rest = [name for name in coco.names if name not in picture.boxes]
        extra = generator.sample(rest, _ABSENT)
        prompt = [*picture.boxes, *extra]
        generator.shuffle(prompt)
        detections = detector(picture.encoded, prompt, threshold=0.0)
        for name in prompt:
            rows = [i for i, n in enumerate(detections.names) if n == name]
            scores.append(detections.scores[rows])
            truth = picture.boxes.get(name, [])
            hits.append(hits_of(detections.boxes[rows], truth))
            if name in extra:
                absent.append(max(scores[-1], default=0.0))
    return Answers(
        np.concatenate(scores),
        np.concatenate(hits),
        np.array(absent),
        sum(len(boxes) for p in pictures for boxes in p.boxes.values()),
    )


def average_precision(
    detector: Detector, coco: CocoFile, pictures: list[Picture], words: dict[str, str]
) -> tuple[float, float]:
    """AP and AP50 in percent of classes that are asked for by given words."""
    labels = {name: label for label, name in enumerate(coco.names)}
    prompt = {word: name for name, word in words.items()}
    results = []
    for picture in pictures:
        detections = detector(picture.encoded, prompt, threshold=0.0)
        results.append(
            dict(
                img_id=picture.id,
                bboxes=detections.boxes,
                scores=detections.scores,
                labels=[labels[name] for name in detections.names],
            )
        )
    evaluation = box_ap(coco, DetectionRows.of(results))
    classes = [labels[name] for name in words]
    return tuple(100 * evaluation.ap(iou=iou, classes=classes) for iou in (None, 0.5))


def measure(detector: Detector, source: str, args: argparse.Namespace) -> dict:
    """All figures of a data set."""
    coco, pictures = read_pictures(detector, source)
    names = {name: name for name in coco.names}
    figures = dict(
        zip(('AP', 'AP50'), average_precision(detector, coco, pictures, names))
    )
    figures['top_box'] = count_top_boxes(detector, pictures, args.limit)
    answers = ask_present_and_absent(detector, coco, pictures)
    figures['best_f1'] = max(
        (answers.at(t) for t in _THRESHOLDS), key=lambda row: row['f1']
    )
    threshold = args.threshold
    if threshold is None:
        threshold = detector.default_threshold
    figures['default'] = answers.at(threshold)
    if args.words:
        words = json.loads(Path(args.words).read_text())
        for key, mapping in (('own_name', {n: n for n in words}), ('words', words)):
            figures[key], _ = average_precision(detector, coco, pictures, mapping)
    return figures


def report(source: str, figures: dict) -> None:
    """Print the figures of a data set."""
    right, pictures = figures['top_box']
    print(f'{source}: AP {figures["AP"]:.1f}, AP50 {figures["AP50"]:.1f}')
    print(f'  best box right in {right} of {pictures} pictures')
    for key in ('default', 'best_f1'):
        row = figures[key]
        print(
            f'  at {row["threshold"]:.2f}: precision {row["precision"]:.1f}, recall '
            f'{row["recall"]:.1f}, F1 {row["f1"]:.1f}, {row["absent_with_box"]} of '
            f'{row["absent_asked"]} absent words with a box'
        )
    if 'words' in figures:
        print(
            f'  AP by own names {figures["own_name"]:.1f}, by other words '
            f'{figures["words"]:.1f}'
        )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('model', help='config or zoo name')
    add('--weights', nargs='+', default=[None], help='checkpoints, epoch after epoch')
    add('--data', action='append', required=True, metavar='FOLDER:SPLIT')
    add('--words', help='JSON, class name -> another word for it')
    add('--limit', type=int, default=30, help='pictures of the best box [30]')
    add('--threshold', type=float, help="score of a box that counts [the model's own]")
    return parser.parse_args(argv)


@command(parse_args)
def main(args: argparse.Namespace) -> None:
    """Print the figures of every checkpoint and data set."""
    for weights in args.weights:
        detector = glip.load(args.model, weights)
        print(weights or args.model)
        for source in args.data:
            report(source, measure(detector, source, args))


if __name__ == '__main__':
    sys.exit(main())
