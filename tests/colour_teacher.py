"""A teacher that sees colours, so that every label can be worked out by hand."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import torch
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from PIL import Image, ImageDraw

from glip.registry import MODELS
from glip.text import Tokenizer

COLOURS = {'red': (255, 0, 0), 'green': (0, 255, 0), 'blue': (0, 0, 255)}
SCORES = {'red': 0.9, 'green': 0.7, 'blue': 0.3}

CONFIG = """
custom_imports = dict(imports=['colour_teacher'])
model = dict(
    type='ColourTeacher',
    data_preprocessor=dict(type='mmengine.ImgDataPreprocessor', pad_size_divisor=32),
)
test_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadImageFromFile'),
    dict(type='FixScaleResize', scale=(64, 64), keep_ratio=True, backend='pillow'),
    dict(type='PackDetInputs'),
]))
"""


@MODELS.register_module(force=True)
class ColourTeacher(BaseModel):
    """Finds one box of each colour that a phrase speaks of, with the colour's score.

    The environment may name a file, to which each prompt is written, and seconds that
    a prompt takes.
    """

    def __init__(self, data_preprocessor=None, max_tokens=32):
        super().__init__(data_preprocessor=data_preprocessor)
        self.weight = torch.nn.Parameter(torch.zeros(2))
        self.language_model = SimpleNamespace(
            tokenizer=Tokenizer(), max_tokens=max_tokens
        )

    def forward(self, inputs, data_samples, mode='tensor'):
        for image, sample in zip(inputs, data_samples):
            time.sleep(float(os.environ.get('TEACHER_SECONDS', 0)))
            if log := os.environ.get('TEACHER_LOG'):
                with open(log, 'a') as file:
                    file.write(sample.text.caption + '\n')
            sample.pred_instances = self._find(image, sample)
        return data_samples

    @staticmethod
    def _find(image, sample):
        height, width = sample.img_shape
        pixels = image[:, :height, :width].permute(1, 2, 0).flip(-1)
        boxes, scores, labels = [], [], []
        caption, spans = sample.text.caption, sample.text.by_label(sample.text.spans)
        for label, of_label in enumerate(spans):
            name = ' '.join(caption[begin:end] for begin, end in of_label)
            for colour, value in COLOURS.items():
                near = (pixels - torch.tensor(value)).abs().amax(-1) < 64
                if colour not in name or not near.any():
                    continue
                ys, xs = torch.nonzero(near, as_tuple=True)
                box = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
                boxes.append([float(v) for v in box])
                scores.append(SCORES[colour])
                labels.append(label)
        scale = torch.tensor(sample.scale_factor).repeat(2)
        return InstanceData(
            bboxes=torch.tensor(boxes).reshape(-1, 4) / scale,
            scores=torch.tensor(scores),
            labels=torch.tensor(labels, dtype=torch.long),
        )


def write_teacher(folder: Path) -> tuple[str, str]:
    """Write config and weights."""
    config, weights = folder / 'teacher.py', folder / 'teacher.pth'
    config.write_text(CONFIG)
    torch.save({'weight': torch.ones(2)}, weights)
    return str(config), str(weights)


def draw(path: Path, **boxes: tuple[int, int, int, int]) -> None:
    """A gray picture of 64x64 with a filled box (x1, y1, x2, y2) of each colour."""
    picture = Image.new('RGB', (64, 64), (128, 128, 128))
    for name, (x1, y1, x2, y2) in boxes.items():
        shape = (x1, y1, x2 - 1, y2 - 1)
        ImageDraw.Draw(picture).rectangle(shape, fill=COLOURS[name])
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
