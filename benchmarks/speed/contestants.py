"""Who runs in a measurement: mmdet, ours, and ours in other forms."""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import nn

import glip.ops
from glip.errors import ConfigError
from glip.models.dense_heads import PictureFeatures
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
    """Those of a job, mmdet first.

    Raises:
        ConfigError: ``plain`` was asked for and there is no such path.
    """
    half = job.precision == 'bf16'
    name = 'ours, bf16' if half else 'ours'
    found = []
    if 'mmdet' in job.peers:
        found.append(Contestant('mmdet', subjects.peer, True))
        if half:
            found.append(Contestant('mmdet, bf16', subjects.peer, True, bf16=True))
    if 'plain' in job.peers:
        found.append(
            Contestant(f'{name}, plain', subjects.ours, True, half, plain_path())
        )
    found.append(Contestant(name, subjects.ours, False, half))
    if job.compile:
        compiled = compiled_copy(subjects.ours, job.compile)
        found.append(Contestant(f'{name}, compiled', compiled, False, half))
    return found


def plain_path() -> Context:
    """The context in which ours computes as the paper reads, without fast kernels.

    Raises:
        ConfigError: There is none.
    """
    found = getattr(glip.ops, 'plain_path', None)
    if found is None:
        raise ConfigError('glip.ops has no plain_path: leave out --peers plain')
    return found


def compiled_copy(model: nn.Module, mode: str) -> nn.Module:
    """A copy that is compiled as ``glip.load(..., compile=dict(mode=mode))`` does."""
    model = copy.deepcopy(model)
    compile_for_inference(model, dict(mode=mode))
    return model
