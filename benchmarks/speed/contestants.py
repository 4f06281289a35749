"""Who runs in a measurement: mmdet, ours, and ours in other forms."""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import nn

from glip.models.dense_heads import PictureFeatures
from glip.ops import plain_path
from glip.runtime.compiling import compile_for_inference
from glip.runtime.feature_cache import FeatureCache

from .job import Job
from .subjects import Batch, Subjects

Context = Callable[[], AbstractContextManager]


@dataclass(frozen=True)
class Contestant:
    """A model and how it is called.

    Attributes:
        label: Its name in tables.
        model: Either side's.
        peer: Whether ours is measured against it.
        bf16: Run it under autocast.
        context: What else it is run in.
        cache: What calls of ours share.
    """

    label: str
    model: nn.Module
    peer: bool
    bf16: bool = False
    context: Context = nullcontext
    cache: FeatureCache = field(default_factory=FeatureCache)

    def detect(self, batch: Batch) -> list:
        """Detections of a batch."""
        with self._ready(batch.inputs.device.type):
            return self.model(*batch.fresh(), mode='predict')

    def look(self, batch: Batch) -> PictureFeatures:
        """Have ours compute of pictures what needs no words."""
        with self._ready(batch.inputs.device.type):
            return self.model.encode_pictures(batch.inputs)

    def ask(self, pictures: PictureFeatures, batch: Batch) -> list:
        """Detections of ours in them, for the words of a batch."""
        with self._ready(batch.inputs.device.type):
            return self.model.detect(pictures, batch.fresh()[1])

    def encode(self, batch: Batch) -> None:
        """Have ours keep the words of a batch's first picture."""
        with self._ready(batch.inputs.device.type):
            _, samples = batch.fresh()
            self.model.encode_text(self.model.prompts_of(samples[0]))

    @contextmanager
    def _ready(self, device: str) -> Iterator[None]:
        with torch.no_grad(), self.context(), self.cache.in_use(self.model):
            with torch.autocast(device, torch.bfloat16, enabled=self.bf16):
                yield


def contestants(job: Job, subjects: Subjects) -> list[Contestant]:
    """Those of a job, mmdet first."""
    half = job.precision == 'bf16'
    name = job.ours
    entrants = []
    if 'mmdet' in job.peers:
        entrants.append(Contestant('mmdet', subjects.peer, True))
        if half:
            entrants.append(Contestant('mmdet, bf16', subjects.peer, True, bf16=True))
    if 'plain' in job.peers:
        entrants.append(
            Contestant(f'{name}, plain', subjects.ours, True, half, plain_path)
        )
    if 'float32' in job.peers:
        entrants.append(Contestant('ours, float32', subjects.ours, True))
    entrants.append(Contestant(name, subjects.ours, False, half))
    if job.compile:
        compiled = copy.deepcopy(subjects.ours)
        compile_for_inference(compiled, dict(mode=job.compile))
        entrants.append(Contestant(f'{name}, compiled', compiled, False, half))
    return entrants
