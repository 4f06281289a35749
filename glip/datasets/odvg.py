"""ODVG: one JSON record per line, boxes of classes or of phrases in a sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmengine.utils import is_abs

from glip.datasets.base import PromptedDataset
from glip.datasets.coco_file import BACKGROUND
from glip.datasets.phrases import find_phrases, merge_phrases
from glip.datasets.sample import (
    DetectionSample,
    GroundingSample,
    Phrase,
    Sample,
    is_finite,
)
from glip.errors import DatasetError
from glip.registry import DATASETS
from glip.runtime.reading import check_names, json_lines, listed, read_json, warn
from glip.text.plurals import may_be_several


@DATASETS.register_module()
class ODVGDataset(PromptedDataset):
    """Records as MM-Grounding-DINO's converters write them, of both kinds in one file.

    Detection: ``{"filename", "height", "width", "detection": {"instances": [{"bbox",
    "label", "category"}]}}`` with a label map beside it, ``{"0": "person", ...}``.
    Grounding: ``{"filename", "height", "width", "grounding": {"caption", "regions":
    [{"bbox", "phrase", "tokens_positive"}]}}``. ``bbox`` is a box (x1, y1, x2, y2) or
    a list of boxes. A phrase without ``tokens_positive`` is looked up in the caption:
    of equal phrases the second is looked for behind the first, and so on. Regions of
    the same characters are one phrase with all their boxes. ``score`` (one for the
    region or instance) or ``scores`` (one per box) say how sure a teacher was of boxes
    it wrote.

    Args:
        *args: See :class:`glip.datasets.base.PromptedDataset`; ``ann_file`` is the
            ``.jsonl``. ``metainfo['classes']`` selects and orders classes, by default
            all of the label map in the order of their ids.
        data_root: Where relative names start from.
        label_map_file: Id -> class name, JSON; needed for detection records.
        need_text: Give detection samples the names of the classes.
        min_score: Boxes with a lower score are left out; those without one stay.
        score_thr: Another name of ``min_score``.
        singular_score: Phrases in the singular keep their best box alone, if its
            score is this high, in place of ``min_score``; None treats all alike.
        **kwargs: As ``*args``. ``filter_cfg=dict(filter_empty_gt=True)`` leaves out
            captions without a box; otherwise all their words are negatives.

    Raises:
        DatasetError: A line is no such record, has a label that the label map does
            not, or the files are missing.
    """

    def __init__(
        self,
        *args: Any,
        data_root: str = '',
        label_map_file: str | None = None,
        need_text: bool = True,
        min_score: float | None = None,
        score_thr: float = 0.0,
        singular_score: float | None = None,
        **kwargs: Any,
    ) -> None:
        if label_map_file and data_root and not is_abs(label_map_file):
            label_map_file = os.path.join(data_root, label_map_file)
        self.label_map_file = label_map_file
        self.min_score = score_thr if min_score is None else min_score
        self.singular_score = singular_score
        kwargs.setdefault('return_classes', need_text)
        super().__init__(*args, data_root=data_root, **kwargs)

    def samples(self) -> Iterator[Sample]:
        """One sample per line; see the base."""
        self.read_names()
        for number, record in json_lines(self.ann_file, self.backend_args):
            yield self.sample_of(record, f'line {number}')

    def read_names(self) -> None:
        """Read the label map, where there is one.

        Raises:
            DatasetError: It is missing, of another format, or lacks a class.
        """
        self._label_names: dict[int, str] = {}
        self._labels: dict[int, int] = {}
        self._disagreed = False
        if self.label_map_file:
            self._read_label_map(self.label_map_file)

    def sample_of(self, record: Mapping[str, Any], where: str) -> Sample:
        """What one record says.

        Args:
            record: The mapping that a line holds.
            where: The place in the file, such as ``'line 3'``, for messages.

        Raises:
            DatasetError: It is no such record.
        """
        head = self._head(record, where)
        if 'detection' in record:
            part = self._mapping(record, 'detection', where)
            return self._detection(head, part, where)
        if 'grounding' in record:
            part = self._mapping(record, 'grounding', where)
            return self._grounding(head, part, where)
        raise self._error(where, 'neither "detection" nor "grounding" in the record')

    def _error(self, where: str, message: str) -> DatasetError:
        return DatasetError(f'{self.ann_file}, {where}: {message}')

    def _head(self, record: Mapping[str, Any], where: str) -> dict[str, Any]:
        """What both kinds say of the picture."""
        file_name = record.get('filename', record.get('file_name'))
        if not isinstance(file_name, str) or not file_name:
            raise self._error(where, 'no "filename" of the picture')
        return {
            'file_name': file_name,
            'width': record.get('width'),
            'height': record.get('height'),
            'image_id': record.get('image_id'),
            'dropped': self.dropped,
            'where': where,
        }

    def _mapping(
        self, record: Mapping[str, Any], key: str, where: str
    ) -> Mapping[str, Any]:
        """A part of a record; null stands for an empty one."""
        part = record[key] or {}
        if not isinstance(part, Mapping):
            raise self._error(
                where, f'"{key}" is a {type(part).__name__}, not a mapping'
            )
        return part

    def _entries(
        self, part: Mapping[str, Any], key: str, where: str
    ) -> list[Mapping[str, Any]]:
        """The list of a part; none is an empty one."""
        entries = part.get(key) or []
        if not isinstance(entries, list) or not all(
            isinstance(entry, Mapping) for entry in entries
        ):
            raise self._error(where, f'"{key}" must be a list of mappings')
        return entries

    def _detection(
        self, head: dict[str, Any], part: Mapping[str, Any], where: str
    ) -> DetectionSample:
        """Boxes of the classes asked for."""
        boxes: list[Sequence[float]] = []
        labels: list[int] = []
        scores: list[float] = []
        scored = False
        for instance in self._entries(part, 'instances', where):
            label = self._label(instance, where)
            if label not in self._labels:
                continue  # a class that is not asked for
            sure, their_scores = self._scored(instance, where)
            boxes += sure
            labels += [self._labels[label]] * len(sure)
            scores += their_scores or (1.0,) * len(sure)
            scored |= bool(their_scores)
        return DetectionSample.checked(
            **head, boxes=boxes, labels=labels, scores=scores if scored else ()
        )

    def _label(self, instance: Mapping[str, Any], where: str) -> int:
        """The id of an instance, which the label map knows."""
        if not self._label_names:
            raise self._error(
                where,
                'a detection record, whose labels need names: set label_map_file to '
                'the JSON file that maps them, {"0": "person", ...}',
            )
        given = instance.get('label')
        label = _whole(given)
        if label is None or label not in self._label_names:
            raise self._error(
                where,
                f'label {given!r} is not in {self.label_map_file}, which has the ids '
                f'{listed(self._label_names)}',
            )
        category, name = instance.get('category'), self._label_names[label]
        if isinstance(category, str) and category != name and not self._disagreed:
            self._disagreed = True
            warn(
                f'{self.ann_file}, {where}: label {label} is {category!r} in the '
                f'record but {name!r} in {self.label_map_file}; the latter is used '
                '(further such records are not reported)'
            )
        return label

    def _grounding(
        self, head: dict[str, Any], part: Mapping[str, Any], where: str
    ) -> GroundingSample:
        """A sentence and the boxes of its phrases."""
        caption = part.get('caption')
        regions = self._entries(part, 'regions', where)
        phrases = []
        if isinstance(caption, str):
            matches = find_phrases(caption, [_asked(region) for region in regions])
            for region, spans in zip(regions, matches, strict=True):
                if not spans:
                    place = f'{where}: {region.get("phrase")!r:.40}'
                    self.dropped.add('phrases that the caption does not have', place)
                    continue
                several = may_be_several(caption[slice(*spans[-1])])
                one_from = None if several else self.singular_score
                boxes, scores = self._scored(region, where, one_from)
                phrases.append(Phrase(spans, boxes, scores))
        sample = GroundingSample.checked(**head, caption=caption, phrases=phrases)
        return replace(sample, phrases=merge_phrases(sample.phrases))

    def _scored(
        self, region: Mapping[str, Any], where: str, one_from: float | None = None
    ) -> tuple[tuple[Any, ...], tuple[float, ...]]:
        """Boxes of a region or instance whose maker was sure enough, and how sure.

        With ``one_from`` the best of them alone, if its score is as high.
        """
        boxes = _boxes(region.get('bbox'))
        scores = region.get('scores', region.get('score'))
        if scores is None:
            return tuple(boxes), ()
        if isinstance(scores, (int, float)):
            scores = [scores] * len(boxes)
        fitting = isinstance(scores, list) and len(scores) == len(boxes)
        if not fitting or not all(map(is_finite, scores)):
            raise self._error(
                where, f'{len(boxes)} boxes of a region but the scores {scores!r:.60}'
            )
        least = self.min_score if one_from is None else one_from
        sure = [i for i, score in enumerate(scores) if score >= least]
        if len(sure) < len(boxes):
            reason = f'boxes with a score below {least}'
            self.dropped.add(reason, where, len(boxes) - len(sure))
        if one_from is not None and len(sure) > 1:
            reason = 'boxes beside the best one of a phrase in the singular'
            self.dropped.add(reason, where, len(sure) - 1)
            sure = [max(sure, key=scores.__getitem__)]
        return tuple(boxes[i] for i in sure), tuple(float(scores[i]) for i in sure)

    def _read_label_map(self, path: str) -> None:
        """Names of the labels, and the classes asked for."""
        content = read_json(path, self.backend_args)
        if isinstance(content, list):
            content = dict(enumerate(content))
        keys = [_whole(key) for key in content] if isinstance(content, dict) else []
        if (
            not keys
            or None in keys
            or not all(isinstance(name, str) for name in content.values())
        ):
            raise DatasetError(
                f'label map {path} must map ids to names, such as {{"0": "person"}}'
            )
        self._label_names = dict(
            sorted(zip((int(key) for key in content), content.values(), strict=True))
        )
        names = tuple(dict.fromkeys(self._label_names.values()))
        if len(names) > 1:
            names = tuple(name for name in names if name != BACKGROUND)
        chosen = self._metainfo.get('classes')
        if chosen is not None:
            chosen = (chosen,) if isinstance(chosen, str) else tuple(chosen)
            check_names(chosen, names, path)
            names = chosen
        place = {name: i for i, name in enumerate(names)}
        self._labels = {
            label: place[name]
            for label, name in self._label_names.items()
            if name in place
        }
        self.names = self._metainfo['classes'] = names


def _asked(region: Mapping[str, Any]) -> Any:
    """The spans of a region, or where there are none its words."""
    spans = region.get('tokens_positive')
    return spans if spans else region.get('phrase')


def _boxes(value: Any) -> list[Any]:
    """One box or a list of boxes as the latter."""
    if not isinstance(value, list) or not value:
        return []
    return value if isinstance(value[0], list) else [value]


def _whole(value: Any) -> int | None:
    """An id, also where it is written as text; no fractions and no truth values."""
    if isinstance(value, bool):
        return None
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isinstance(value, str) or number == value else None
