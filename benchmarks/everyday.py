"""Measure how well a model finds everyday things by name, beyond AP.

    python -m benchmarks.everyday glip-nano --data data/coco_mini:val2017 \\
        --data data/coco128:val2017 --words benchmarks/everyday_words.json

A data set is a folder in COCO's layout (annotations/instances_SPLIT.json and SPLIT/).
Printed are, with the classes of a picture as prompt, how often the best box is right;
with five absent classes beside them, precision and recall at the model's default
threshold and absent words with a box; and, if words are given, AP of the classes asked
for by their own names and by words that the model never saw.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from faster_coco_eval import COCO, COCOeval_faster
from torchvision.ops import box_iou
from tqdm import tqdm

import glip
from glip.runtime.command import command

_ABSENT = 5
_THRESHOLDS = np.arange(0.05, 0.75, 0.01)


class Picture:
    """A picture, encoded once, and its boxes by class name."""

    def __init__(self, detector, coco: COCO, image: dict, folder: Path) -> None:
        self.id = image['id']
        self.encoded = detector.encode(folder / image['file_name'])
        self.boxes = defaultdict(list)
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[self.id])):
            if not annotation.get('iscrowd'):
                x, y, w, h = annotation['bbox']
                name = coco.cats[annotation['category_id']]['name']
                self.boxes[name].append([x, y, x + w, y + h])


def read_pictures(detector, source: str) -> tuple[COCO, list[Picture]]:
    """Read a set given as FOLDER:SPLIT."""
    folder, _, split = source.rpartition(':')
    coco = COCO(str(Path(folder, 'annotations', f'instances_{split}.json')))
    images = tqdm(coco.dataset['images'], desc=source, unit='picture')
    return coco, [Picture(detector, coco, i, Path(folder, split)) for i in images]


def matched(boxes: np.ndarray, truth: list, iou_threshold: float = 0.5) -> np.ndarray:
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


def top_box(detector, pictures: list[Picture], limit: int) -> str:
    """Count pictures whose best box, asked for the present classes, is right."""
    pictures = [p for p in pictures if p.boxes][:limit]
    right = 0
    for picture in pictures:
        detections = detector(picture.encoded, list(picture.boxes), threshold=0.0)
        if len(detections):
            truth = picture.boxes[detections.names[0]]
            right += bool(matched(detections.boxes[:1], truth)[0])
    return f'{right} of {len(pictures)}'


def precision_recall(detector, coco: COCO, pictures: list[Picture]) -> dict:
    """Scores of right and wrong boxes, with absent classes in the prompt."""
    generator = random.Random(0)
    names = [category['name'] for category in coco.cats.values()]
    scores, right, absent, total, asked = [], [], [], 0, 0
    for picture in pictures:
        rest = [name for name in names if name not in picture.boxes]
        extra = generator.sample(rest, _ABSENT)
        prompt = [*picture.boxes, *extra]
        generator.shuffle(prompt)
        detections = detector(picture.encoded, prompt, threshold=0.0)
        asked += len(extra)
        total += sum(map(len, picture.boxes.values()))
        for name in prompt:
            rows = [i for i, n in enumerate(detections.names) if n == name]
            scores.append(detections.scores[rows])
            hits = matched(detections.boxes[rows], picture.boxes.get(name, []))
            right.append(hits)
            if name in extra:
                absent.append(max(scores[-1], default=0.0))
    return dict(
        scores=np.concatenate(scores),
        right=np.concatenate(right),
        absent=np.array(absent),
        boxes=total,
        asked=asked,
    )


def at_threshold(counts: dict, threshold: float) -> tuple[float, float, float, int]:
    """Precision, recall and F1 in percent, and absent words with a box."""
    kept = counts['scores'] >= threshold
    hits = counts['right'][kept].sum()
    precision = hits / max(1, kept.sum())
    recall = hits / max(1, counts['boxes'])
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    absent = int((counts['absent'] >= threshold).sum())
    return 100 * precision, 100 * recall, 100 * f1, absent


def average_precision(
    detector, coco: COCO, pictures: list[Picture], words: dict[str, str]
) -> float:
    """AP of classes that are asked for by given words."""
    ids = {category['name']: i for i, category in coco.cats.items()}
    results = []
    for picture in pictures:
        prompt = {word: name for name, word in words.items()}
        detections = detector(picture.encoded, prompt, threshold=0.0)
        for box, score, name in zip(
            detections.boxes, detections.scores, detections.names, strict=True
        ):
            x1, y1, x2, y2 = map(float, box)
            results.append(
                dict(
                    image_id=picture.id,
                    category_id=ids[name],
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                    score=float(score),
                )
            )
    evaluation = COCOeval_faster(
        coco, coco.loadRes(results), 'bbox', print_function=print
    )
    evaluation.params.catIds = [ids[name] for name in words]
    evaluation.params.imgIds = [picture.id for picture in pictures]
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return 100 * evaluation.stats[0], 100 * evaluation.stats[1]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', help='config or zoo name')
    parser.add_argument('--weights')
    parser.add_argument('--data', action='append', required=True)
    parser.add_argument('--words', help='JSON, class name -> a word for it')
    parser.add_argument('--limit', type=int, default=30, help='pictures of the top box')
    parser.add_argument('--threshold', type=float)
    parser.add_argument('--silent', help='JSON list of words that no picture shows')
    return parser.parse_args(argv)


@command(parse_args)
def main(args: argparse.Namespace) -> None:
    """Print the measures of every data set."""
    detector = glip.load(args.model, args.weights)
    threshold = args.threshold or getattr(detector, 'default_threshold', 0.3)
    for source in args.data:
        coco, pictures = read_pictures(detector, source)
        names = {c['name']: c['name'] for c in coco.cats.values()}
        ap, ap50 = average_precision(detector, coco, pictures, names)
        print(f'{source}: AP {ap:.1f}, AP50 {ap50:.1f}')
        print('  top box right:', top_box(detector, pictures, args.limit))
        counts = precision_recall(detector, coco, pictures)
        rows = [(at_threshold(counts, t)[2], t) for t in _THRESHOLDS]
        for t in (threshold, max(rows)[1]):
            p, r, f1, absent = at_threshold(counts, t)
            print(
                f'  at {t:.2f}: precision {p:.1f}, recall {r:.1f}, F1 {f1:.1f}, '
                f'{absent} of {counts["asked"]} absent words with a box'
            )
        if args.words:
            words = json.loads(Path(args.words).read_text())
            chosen = {name: name for name in words}
            results = []
            for mapping in (chosen, words):
                ap, _ = average_precision(detector, coco, pictures, mapping)
                results.append(ap)
            print(
                f'  AP of {len(words)} classes by own name {results[0]:.1f}, by other '
                f'words {results[1]:.1f}'
            )
        if args.silent:
            words = json.loads(Path(args.silent).read_text())
            quiet = [
                len(detector(p.encoded, words, threshold=0.35)) for p in pictures[:40]
            ]
            print(f'  boxes > 0.35 for {len(words)} words not shown: {sum(quiet)}')


if __name__ == '__main__':
    sys.exit(main())
