"""Detections by picture and words, each computed once."""

from __future__ import annotations

from glip.apis import Detections, Detector
from glip.apis.prepared import EncodedPicture
from glip.errors import ConfigError, PromptError
from glip.runtime.feature_cache import Recent
from glip.text import TextPrompt, parse_text

_PICTURES = 4  # encoded, up to 23 MB each
_RESULTS = 256
MOST_NAMES = 2000  # LVIS has 1203


class KeptDetections:
    """Asks a detector, and keeps what it answered, for all who look at the page.

    A second prompt for the same picture runs only what depends on words, where the
    model can be asked so; what was asked before runs nothing.

    Args:
        detector: The model.

    Attributes:
        passes: How many times the model ran on words and a picture.
    """

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.passes = 0
        self._pictures: Recent[EncodedPicture | str] = Recent(_PICTURES)
        self._results: Recent[Detections] = Recent(_RESULTS)

    def of(self, picture: str, text: str) -> Detections:
        """All boxes that the model gives, however little they score.

        Args:
            picture: Path of a file whose content does not change.
            text: What to look for.

        Raises:
            ImageError: The picture cannot be read.
            PromptError: The words cannot be used.
        """
        prompt = read_words(text)
        return self._results.get(
            (picture, prompt), lambda: self._detect(picture, prompt)
        )

    def _detect(self, picture: str, prompt: TextPrompt) -> Detections:
        source = self._pictures.get(picture, lambda: self._encoded(picture))
        self.passes += 1
        return self.detector(source, prompt, threshold=0.0)

    def _encoded(self, picture: str) -> EncodedPicture | str:
        try:
            return self.detector.encode(picture)
        except ConfigError:  # a model that computes nothing without words
            return picture


def read_words(text: str | None) -> TextPrompt:
    """The prompt of what somebody typed.

    Raises:
        PromptError: Nothing to find in it, or more names than a page should wait for.
    """
    if not text or not text.strip():
        raise PromptError("type what to find, for example 'bench. car'")
    prompt = parse_text(text)
    if len(prompt.names) > MOST_NAMES:
        raise PromptError(
            f'{len(prompt.names)} names: the page looks for at most {MOST_NAMES} at a '
            'time'
        )
    return prompt
