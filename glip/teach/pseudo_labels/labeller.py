"""A teacher grounds the captions of a picture, or finds classes in it."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from glip.apis import Detector
from glip.datasets.converters.records import detection_record, grounding_record
from glip.datasets.sample import DetectionSample, GroundingSample, Phrase
from glip.errors import ImageError, PromptError, one_line
from glip.images import load_image
from glip.teach.pseudo_labels.items import Item, Note
from glip.teach.pseudo_labels.screens import Screens
from glip.text import TextPrompt, noun_phrases
from glip.text.checks import check_words
from glip.transforms.caption_budget import fit_caption

_CHARACTERS_PER_TOKEN = 50  # of the part of a caption that is looked at
_DECIMALS = 2  # of coordinates: no teacher is finer
NO_CAPTION = 'pictures without captions'
UNREADABLE = 'pictures that cannot be read'


@dataclass
class Labelled:
    """What became of one picture.

    Attributes:
        records: ODVG records, one for each caption that has phrases; those without a
            box as well.
        absent: For each record the spans of its phrases without a box, or the names
            of its classes without one.
        notes: What could not be used, and why.
        stopped: Boxes that each screen stopped.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    absent: list[list[Any]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    stopped: Counter[str] = field(default_factory=Counter)


class Labeller:
    """Labels one picture after the other.

    Args:
        detector: The teacher, of which nobody else makes use: it is told to keep
            whatever ``screens`` could let pass.
        screens: Which boxes become labels.
        classes: What to look for in pictures without captions.
    """

    def __init__(
        self, detector: Detector, screens: Screens, classes: TextPrompt | None = None
    ) -> None:
        self.detector = detector
        self.screens = screens
        self.classes = classes
        _widen(detector.model, screens)

    def label(self, item: Item, pixels: np.ndarray | ImageError | None) -> Labelled:
        """Boxes of all captions of a picture.

        Args:
            item: The picture.
            pixels: What :func:`read_picture` made of it.
        """
        labelled = Labelled(notes=list(item.notes))
        if item.picture is None:
            return labelled
        if isinstance(pixels, ImageError):
            labelled.notes.append((UNREADABLE, one_line(pixels)))
            return labelled
        prompts = list(self._prompts(item, labelled.notes))
        if not prompts:
            return labelled
        picture: Any = pixels
        if len(prompts) > 1 and hasattr(self.detector.model, 'encode_pictures'):
            picture = self.detector.encode(pixels)
        for prompt in prompts:
            self._ground(item, picture, prompt, labelled)
        return labelled

    def _prompts(self, item: Item, notes: list[Note]) -> Sequence[TextPrompt]:
        """One for each caption that can be used, or the classes."""
        if not item.captions:
            # Captions that were there and could not be read are no lack of captions.
            if self.classes is not None and not item.notes:
                return [self.classes]
            if not item.notes:
                notes.append((NO_CAPTION, item.name))
            return []
        prompts = []
        for number, caption in enumerate(item.captions, start=1):
            where = f'{item.name}, caption {number}'
            prompt = self._prompt_of(caption, where, notes)
            if prompt is not None:
                prompts.append(prompt)
        return prompts

    def _prompt_of(
        self, caption: Any, where: str, notes: list[Note]
    ) -> TextPrompt | None:
        """The caption with its noun phrases, None where there is none."""
        try:
            check_words(caption, 'the caption')
        except PromptError:
            blank = isinstance(caption, str) and not caption.strip()
            notes.append(
                ('empty captions' if blank else 'captions without a word', where)
            )
            return None
        language = self.detector.model.language_model
        text = caption.strip()
        whole = fit_caption(
            text[: _CHARACTERS_PER_TOKEN * language.max_tokens],
            (),
            tokenizer=language.tokenizer,
            max_tokens=language.max_tokens,
        ).caption.rstrip()
        if len(whole) < len(text):
            reason = f'captions cut off at {language.max_tokens} tokens'
            notes.append((reason, where))
        spans = [span for span in noun_phrases(whole) if self._is_known(whole, span)]
        if not spans:
            notes.append(('captions without a noun phrase', where))
            return None
        return TextPrompt(
            whole,
            tuple((span,) for span in spans),
            tuple(range(len(spans))),
            tuple(whole[begin:end] for begin, end in spans),
        )

    def _is_known(self, caption: str, span: tuple[int, int]) -> bool:
        """Whether the vocabulary has anything of a phrase."""
        tokenizer = self.detector.model.language_model.tokenizer
        ids, _ = tokenizer.tokenize(caption[slice(*span)])
        return any(token != tokenizer.unk_id for token in ids)

    def _ground(
        self, item: Item, picture: Any, prompt: TextPrompt, labelled: Labelled
    ) -> None:
        """Boxes of one prompt."""
        detections: Any = self.detector(picture, prompt, threshold=0.0)
        kept, stopped = self.screens(
            detections.boxes, detections.scores, detections.labels
        )
        labelled.stopped += stopped
        boxes = np.round(detections.boxes[kept].astype(float), _DECIMALS).tolist()
        scores = detections.scores[kept].astype(float).tolist()
        labels = detections.labels[kept].tolist()
        width, height = detections.size
        head = dict(
            file_name=item.name, width=width, height=height, image_id=item.image_id
        )
        if prompt is self.classes:
            sample = DetectionSample(
                **head,
                boxes=tuple(map(tuple, boxes)),
                labels=tuple(labels),
                scores=tuple(scores),
            )
            names = prompt.names
            labelled.records.append(detection_record(sample, names))
            present = {names[label] for label in labels}
            labelled.absent.append([n for n in names if n not in present])
            return
        phrases, absent = [], []
        for label, spans in enumerate(prompt.spans):
            mine = [i for i, other in enumerate(labels) if other == label]
            if not mine:
                absent += [list(span) for span in spans]
                continue
            phrases.append(
                Phrase(
                    spans,
                    tuple(tuple(boxes[i]) for i in mine),
                    tuple(scores[i] for i in mine),
                )
            )
        grounding = GroundingSample(
            **head, caption=prompt.caption, phrases=tuple(phrases)
        )
        labelled.records.append(grounding_record(grounding))
        labelled.absent.append(absent)


def read_picture(item: Item) -> np.ndarray | ImageError | None:
    """Pixels of a picture (H, W, 3) BGR, or why there are none."""
    if item.picture is None:
        return None
    try:
        if isinstance(item.picture, str):
            return load_image(item.picture)
        return pixels_of(item.picture, item.name)
    except ImageError as error:
        return error


def pixels_of(content: bytes, name: str) -> np.ndarray:
    """Pixels of the content of a picture file, (H, W, 3) BGR.

    Raises:
        ImageError: It is no picture, or is damaged.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            return load_image(image)
    except ImageError as error:
        raise ImageError(f'{name}: {one_line(error)}') from error
    # Decoders raise anything on damaged data.
    except Exception as error:  # noqa: BLE001
        raise ImageError(f'{name}: not a picture that can be read') from error


def _widen(model: Any, screens: Screens) -> None:
    """Let a model keep what the screens, not the model, are to stop."""
    cfg = getattr(getattr(model, 'bbox_head', None), 'test_cfg', None)
    if not isinstance(cfg, Mapping):
        return
    overlap = max(cfg['nms']['iou_threshold'], screens.nms_thr)
    most = cfg['max_per_img']
    if most > 0:
        wanted = screens.max_per_picture
        most = max(most, wanted) if wanted else -1
    model.bbox_head.test_cfg = {
        **cfg,
        # The model's threshold is on the score before centerness, the root of whose
        # product the final score is.
        'score_thr': min(cfg['score_thr'], screens.score_thr**2),
        'nms': {**cfg['nms'], 'iou_threshold': overlap},
        'max_per_img': most,
    }
