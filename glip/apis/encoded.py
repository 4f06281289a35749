"""A picture that is computed once and asked about many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glip.images import ImageSource
from glip.models.dense_heads import PictureFeatures


@dataclass(frozen=True, eq=False)
class EncodedPicture:
    """What :meth:`glip.Detector.encode` makes; goes wherever a picture goes.

    Attributes:
        size: Width and height of the original, in pixels.
        source: What was encoded.
        drawable: What can be drawn upon: a path, or the picture itself.
        features: All that the model computes before it reads words.
        metainfo: How the picture was prepared.
        owner: The detector, as features mean nothing to another.
    """

    size: tuple[int, int]
    source: ImageSource
    drawable: ImageSource
    features: PictureFeatures
    metainfo: dict[str, Any]
    owner: Any
