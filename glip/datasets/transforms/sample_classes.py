"""Another prompt for the same picture every time it is seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from glip.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SampleClasses(BaseTransform):
    """Prompt with the classes in the picture and some that are not, shuffled.

    The idea of the original's detection-to-grounding conversion (GLIP paper, section
    3.1; ``od_to_grounding.py``): what a model sees of the words varies, and a word in
    the prompt is no proof that the thing is in the picture. Draws come from numpy's
    global state, which mmengine seeds in each loading process.

    Args:
        max_classes: Most names in a prompt. Classes of the picture come first; where
            they alone are more, some are left out together with their boxes.
        min_negatives: Fewest names in a prompt that are not in the picture, as far
            as there are any and ``max_classes`` leaves room.
        max_negatives: Most of these; by default only ``max_classes`` limits them.
        vocabulary: Further names to draw negatives from. Names of the data set
            itself are not taken twice; that none of the others is in its pictures is
            the caller's knowledge.
        shuffle: Shuffle the names; otherwise they keep the data set's order.
    """

    def __init__(
        self,
        max_classes: int = 80,
        min_negatives: int = 0,
        max_negatives: int | None = None,
        vocabulary: Sequence[str] = (),
        shuffle: bool = True,
    ) -> None:
        if max_classes < 1 or min_negatives < 0:
            raise ValueError('max_classes must be at least 1, min_negatives at least 0')
        if max_negatives is not None and max_negatives < min_negatives:
            raise ValueError('max_negatives must not be less than min_negatives')
        self.max_classes = max_classes
        self.min_negatives = min_negatives
        self.max_negatives = max_negatives
        self.vocabulary = tuple(dict.fromkeys(vocabulary))
        self.shuffle = shuffle

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Choose the names, renumber the labels, drop boxes without a name.

        Args:
            results: ``text`` with all names of the data set, ``gt_bboxes_labels`` (N,)
                indexing it, and further ``gt_*`` with N entries.

        Returns:
            The same with fewer names in ``text``.
        """
        own = tuple(results['text'])
        labels = np.asarray(results['gt_bboxes_labels'], dtype=np.int64)
        positive = np.unique(labels)
        if len(positive) > self.max_classes:
            positive = np.sort(
                np.random.choice(positive, self.max_classes, replace=False)
            )
        negative = self._negatives(own, set(labels.tolist()), len(positive))
        chosen = [own[i] for i in positive] + negative
        if self.shuffle:
            order = np.random.permutation(len(chosen))
        else:
            place = {name: i for i, name in enumerate(own)}
            places = [place.get(name, len(own)) for name in chosen]
            order = np.argsort(places, kind='stable')
        results['text'] = tuple(chosen[i] for i in order)
        new_label = {
            int(positive[old]): new
            for new, old in enumerate(order)
            if old < len(positive)
        }
        keep = np.isin(labels, positive)
        results['gt_bboxes_labels'] = np.array(
            [new_label[label] for label in labels[keep].tolist()], dtype=np.int64
        )
        for key in ('gt_bboxes', 'gt_ignore_flags', 'gt_masks'):
            if key in results and not keep.all():
                results[key] = results[key][keep]
        return results

    def _negatives(
        self, own: Sequence[str], present: set[int], num_positives: int
    ) -> list[str]:
        """Draw names that are not in the picture: how many, then which."""
        pool = [name for i, name in enumerate(own) if i not in present]
        pool += [name for name in self.vocabulary if name not in own]
        most = min(len(pool), self.max_classes - num_positives)
        if self.max_negatives is not None:
            most = min(most, self.max_negatives)
        fewest = min(self.min_negatives, most)
        if num_positives == 0:
            # A prompt needs a word.
            fewest, most = (max(fewest, 1), max(most, 1)) if pool else (0, 0)
        count = np.random.randint(fewest, most + 1)
        picked = np.random.choice(len(pool), count, replace=False) if count else []
        return [pool[i] for i in picked]
