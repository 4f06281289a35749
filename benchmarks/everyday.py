r"""Measure how well a model finds everyday things by name, beyond AP.

    python -m benchmarks.everyday glip-nano --data data/coco_mini:val2017 \
        --data data/coco128:val2017 --words words.json

A data set is a folder in COCO's layout (annotations/instances_SPLIT.json and SPLIT/).
Printed are AP with all names as one prompt; with the classes of a picture as prompt,
how often the best box is right; with five absent classes beside them, precision and
recall at a threshold and absent words with a box; and, if words are given, AP of the
classes asked for by their own names and by those words. With several checkpoints of a
training, ``--plot`` draws AP and absent words over its epochs, with the losses of its
work directory.
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
from glip.report.figures import new_figure
from glip.report.log_figures import read_curves
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
    if args.silent:
        silent = json.loads(Path(args.silent).read_text())
        figures['silent_boxes'] = sum(
            len(detector(picture.encoded, silent)) for picture in pictures[:40]
        )
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
    if 'silent_boxes' in figures:
        print(f'  boxes for words not shown, in 40 pictures: {figures["silent_boxes"]}')


def plot(rounds: list[dict[str, dict]], work_dir: str | None, path: str) -> None:
    """Draw losses, AP and absent words over the checkpoints."""
    figure, axes = new_figure(13, 3.8, columns=3)
    for name, curve in sorted(read_curves(work_dir or '.').losses.items()):
        axes[0].plot(*zip(*sorted(curve.items())), label=name)
    axes[0].set(title='losses', xlabel='step', yscale='log')
    for source in rounds[0]:
        label = Path(source.rpartition(':')[0]).name
        ap = [figures[source]['AP'] for figures in rounds]
        absent = [figures[source]['default'] for figures in rounds]
        share = [100 * row['absent_with_box'] / row['absent_asked'] for row in absent]
        axes[1].plot(ap, marker='o', label=label)
        axes[2].plot(share, marker='o', label=label)
    axes[1].set(title='AP, all names as one prompt', xlabel='epoch')
    axes[2].set(title='absent words with a box, percent', xlabel='epoch')
    for ax in axes:
        ax.grid(alpha=0.3)
        ax.legend(fontsize=8)
    figure.savefig(path, dpi=90)


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
    add('--silent', help='JSON, list of words that no picture shows')
    add('--limit', type=int, default=30, help='pictures of the best box [30]')
    add('--threshold', type=float, help="score of a box that counts [the model's own]")
    add('--plot', help='picture to write')
    add('--work-dir', help='of the training, for the losses in the plot')
    return parser.parse_args(argv)


@command(parse_args)
def main(args: argparse.Namespace) -> None:
    """Print the figures of every checkpoint and data set."""
    rounds = []
    for weights in args.weights:
        detector = glip.load(args.model, weights)
        print(weights or args.model)
        rounds.append({s: measure(detector, s, args) for s in args.data})
        for source, figures in rounds[-1].items():
            report(source, figures)
    if args.plot:
        plot(rounds, args.work_dir, args.plot)


if __name__ == '__main__':
    sys.exit(main())
