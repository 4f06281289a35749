"""A model that finds colours by name, so that every coordinate can be checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import InstanceData

from glip.registry import MODELS

COLORS = {'red': (0, 0, 255), 'green': (0, 255, 0), 'blue': (255, 0, 0)}  # BGR
COLORS |= {'crimson': COLORS['red'], 'azure': COLORS['blue']}


@MODELS.register_module(force=True)
class ColorFinder(BaseModel):
    """Boxes of the pixels of each colour asked for, in original pixels.

    The score is the share of the picture that the colour covers, so small things
    score little. ``batches`` records how many pictures went through at a time, and
    ``chunks`` the chunk size then.
    """

    def __init__(self, data_preprocessor: dict | None = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.weight = torch.nn.Parameter(torch.zeros(2))
        self.chunked_size = 40
        self.batches: list[int] = []
        self.chunks: list[int] = []
        self.metainfo: list[dict] = []

    def forward(self, inputs, data_samples, mode='tensor'):
        assert mode == 'predict' and not self.training
        self.batches.append(len(inputs))
        self.chunks.append(data_samples[0].get('chunked_size', self.chunked_size))
        for image, sample in zip(inputs, data_samples):
            self.metainfo.append(sample.metainfo)
            sample.pred_instances = self._find(image, sample)
        return data_samples

    @staticmethod
    def _find(image, sample):
        height, width = sample.img_shape
        pixels = image[:, :height, :width].permute(1, 2, 0)
        boxes, scores, labels = [], [], []
        for word, label in _words(sample.text):
            if word not in COLORS:
                continue
            near = (pixels - torch.tensor(COLORS[word])).abs().amax(-1) < 64
            if not near.any():
                continue
            ys, xs = torch.nonzero(near, as_tuple=True)
            box = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
            boxes.append([float(v) for v in box])
            scores.append(float(near.float().mean()))
            labels.append(label)
        scale = torch.tensor(sample.scale_factor).repeat(2)
        return InstanceData(
            bboxes=torch.tensor(boxes).reshape(-1, 4) / scale,
            scores=torch.tensor(scores),
            labels=torch.tensor(labels, dtype=torch.long),
        )


def _words(prompt):
    """Words of a prompt, each with the label that it stands for."""
    if not prompt.pieces:
        return [(name, label) for label, name in enumerate(prompt.names)]
    return [
        (piece.text[piece.begin : piece.end], label)
        for piece, label in zip(prompt.pieces, prompt.labels)
    ]


def make_config(default_scope: str = 'glip') -> Config:
    """Config of the stand-in; pictures are resized as GLIP's are."""
    pipeline = [
        dict(type='LoadImageFromFile', imdecode_backend='pillow'),
        dict(
            type='FixScaleResize',
            scale=(160, 320),
            keep_ratio=True,
            backend='pillow',
        ),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(
            type='PackDetInputs',
            meta_keys=('img_path', 'ori_shape', 'img_shape', 'scale_factor'),
        ),
    ]
    return Config(
        dict(
            default_scope=default_scope,
            model=dict(
                type='ColorFinder',
                data_preprocessor=dict(
                    type='mmengine.ImgDataPreprocessor', pad_size_divisor=32
                ),
            ),
            test_dataloader=dict(dataset=dict(pipeline=pipeline)),
        )
    )


def write_standin(folder: Path) -> tuple[str, str]:
    """Write a config and a checkpoint of the stand-in."""
    config, weights = folder / 'finder.py', folder / 'finder.pth'
    fields = make_config().to_dict().items()  # dump() would format it, slowly
    config.write_text('\n'.join(f'{name} = {value!r}' for name, value in fields))
    torch.save({'weight': torch.ones(2)}, weights)
    return str(config), str(weights)


def scene(width: int, height: int, **boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A gray BGR picture with one filled box per colour."""
    picture = np.full((height, width, 3), 128, np.uint8)
    for name, (x1, y1, x2, y2) in boxes.items():
        picture[y1:y2, x1:x2] = COLORS[name]
    return picture
