r"""Measure how well a model finds everyday things by name, beyond AP.

    python -m benchmarks.everyday glip-nano --data data/coco_mini:val2017 \
        --data data/coco128:val2017 --words words.json

A data set is a folder in COCO's layout (annotations/instances_SPLIT.json and SPLIT/).
Printed are AP with all names as one prompt; with the classes of a picture as prompt,
how often the best box is right; with five absent classes beside them, precision and
recall at a threshold and absent words with a box; and, if words are given, AP of the
classes asked for by their own names and by those words.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import glip
from glip.apis import Detector
from glip.datasets.coco_file import CocoFile, read_coco
from glip.evaluation.box_ap import box_ap, box_hits
from glip.evaluation.detection_rows import DetectionRows
from glip.runtime.command import command
from glip.runtime.progress import track

_ABSENT = 5
_THRESHOLDS = np.arange(0.05, 0.75, 0.01)
_ALL = 10**6  # more detections than there are

Prompt = Sequence[str] | Mapping[str, str]


@dataclass(frozen=True)
class Picture:
    """A picture, encoded once, and the class of each box to be found in it."""

    id: int
    encoded: object
    truth: tuple[str, ...] = ()

    @property
    def present(self) -> list[str]:
        """Its classes, in the order of their first boxes."""
        return list(dict.fromkeys(self.truth))


def read_pictures(detector: Detector, source: str) -> tuple[CocoFile, list[Picture]]:
    """Read and encode a set given as FOLDER:SPLIT."""
    folder, _, split = source.rpartition(':')
    coco = read_coco(Path(folder, 'annotations', f'instances_{split}.json'))
    pictures = []
    for image in track(coco.images, len(coco.images), source):
        truth = (
            coco.names[coco.labels[box['category_id']]]
            for box in coco.boxes[image['id']]
            if not box['iscrowd']
        )
        encoded = detector.encode(Path(folder, split, image['file_name']))
        pictures.append(Picture(image['id'], encoded, tuple(truth)))
    return coco, pictures


def detect(
    detector: Detector,
    coco: CocoFile,
    prompts: Iterable[tuple[Picture, Prompt]],
    limit: int = _ALL,
) -> DetectionRows:
    """The best detections of each picture for its prompt."""
    results = []
    for picture, prompt in prompts:
        detections = detector(picture.encoded, prompt, threshold=0.0)
        results.append(
            dict(
                img_id=picture.id,
                bboxes=detections.boxes[:limit],
                scores=detections.scores[:limit],
                labels=[coco.names.index(name) for name in detections.names[:limit]],
            )
        )
    return DetectionRows.of(results)


def count_top_boxes(
    detector: Detector, coco: CocoFile, pictures: list[Picture], limit: int
) -> tuple[int, int]:
    """Pictures whose best box for the present classes is right, and all of them."""
    pictures = [picture for picture in pictures if picture.truth][:limit]
    prompts = [(picture, picture.present) for picture in pictures]
    hits, _ = box_hits(coco, detect(detector, coco, prompts, limit=1))
    return int(hits.sum()), len(pictures)


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
    prompts, absent = [], []
    for picture in pictures:
        rest = [name for name in coco.names if name not in picture.truth]
        extra = generator.sample(rest, _ABSENT)
        prompt = [*picture.present, *extra]
        generator.shuffle(prompt)
        prompts.append((picture, prompt))
        absent += [(picture.id, coco.names.index(name)) for name in extra]
    rows = detect(detector, coco, prompts)
    hits, _ = box_hits(coco, rows, limit=_ALL)
    ids = np.array(rows.ids)[rows.images]
    best = [
        rows.scores[(ids == id) & (rows.labels == label)].max(initial=0.0)
        for id, label in absent
    ]
    num_boxes = sum(len(picture.truth) for picture in pictures)
    return Answers(rows.scores, hits, np.array(best), num_boxes)


def average_precision(
    detector: Detector, coco: CocoFile, pictures: list[Picture], words: dict[str, str]
) -> tuple[float, float]:
    """AP and AP50 in percent of classes that are asked for by given words."""
    prompt = {word: name for name, word in words.items()}
    rows = detect(detector, coco, ((picture, prompt) for picture in pictures))
    evaluation = box_ap(coco, rows)
    classes = [coco.names.index(name) for name in words]
    return tuple(100 * evaluation.ap(iou=iou, classes=classes) for iou in (None, 0.5))


def report(detector: Detector, source: str, args: argparse.Namespace) -> None:
    """Measure on a data set, and print all figures."""
    coco, pictures = read_pictures(detector, source)

    def precisions(words: dict[str, str]) -> tuple[float, float]:
        return average_precision(detector, coco, pictures, words)

    ap, ap50 = precisions({name: name for name in coco.names})
    print(f'{source}: AP {ap:.1f}, AP50 {ap50:.1f}')
    right, asked = count_top_boxes(detector, coco, pictures, args.limit)
    print(f'  best box right in {right} of {asked} pictures')
    answers = ask_present_and_absent(detector, coco, pictures)
    threshold = args.threshold
    if threshold is None:
        threshold = detector.default_threshold
    best = max((answers.at(t) for t in _THRESHOLDS), key=lambda row: row['f1'])
    for row in (answers.at(threshold), best):
        print(
            f'  at {row["threshold"]:.2f}: precision {row["precision"]:.1f}, recall '
            f'{row["recall"]:.1f}, F1 {row["f1"]:.1f}, {row["absent_with_box"]} of '
            f'{row["absent_asked"]} absent words with a box'
        )
    if args.words:
        words = json.loads(Path(args.words).read_text())
        by_name, _ = precisions({name: name for name in words})
        by_word, _ = precisions(words)
        print(f'  AP by own names {by_name:.1f}, by other words {by_word:.1f}')


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('model', help='config or zoo name')
    add('--weights', nargs='+', default=[None], help='checkpoints, epoch after epoch')
    add('--data', action='append', required=True, metavar='FOLDER:SPLIT')
    add('--words', help='JSON, class name -> another word for it')
    add('--limit', type=int, default=30, help='pictures of the best box [30]')
    add('--threshold', type=float, help="score of a box that counts [the model's own]")


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Print the figures of every checkpoint and data set."""
    for weights in args.weights:
        detector = glip.load(args.model, weights)
        print(weights or args.model)
        for source in args.data:
            report(detector, source, args)


if __name__ == '__main__':
    sys.exit(main())
