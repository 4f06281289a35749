"""What is compared: ours and mmdet's GLIP with equal weights, pictures and prompts."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmdet.datasets import CocoDataset, LVISV1Dataset
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.functional import pil_to_tensor

from glip.config.checkpointing import apply_use_checkpoint
from glip.models.cpu import use_cpu_kernels
from glip.registry import MODELS

from .peer import build_peer, peer_config

ROOT = Path(__file__).parents[2]
COCO = CocoDataset.METAINFO['classes']
LVIS = LVISV1Dataset.METAINFO['classes']
SHORT = ('cat', 'dog', 'car')
_ZERO_SHOT = 'glip_atss_swin-t_{}_fpn_dyhead_pretrain_obj365.py'
_FINE_TUNED = 'glip_atss_swin-t_{}_fpn_dyhead_16xb2_ms-2x_funtune_coco.py'
_PICTURES = ('astronaut', 'cat', 'coffee', 'raccoon')
# Random weights score every word alike. They are stretched until so many pairs of a
# position and a name's token pass the threshold: a few hundred candidates, as a real
# model has, and less than nms_pre per level, where mmdet's choice differs from the
# original's and ours.
_PASSING = 5e-4
_AT_LEAST = 10
_THRESHOLD = 0.05


@dataclass
class Subjects:
    """Both models of one variant.

    Attributes:
        ours: Our model.
        peer: mmdet's.
        ours_cfg: Our config, of the training recipe where ``training`` was asked for.
        peer_cfg: mmdet's config of the same name.
    """

    ours: nn.Module
    peer: nn.Module
    ours_cfg: Config
    peer_cfg: Config

    @torch.no_grad()
    def calibrate(self, batch: 'Batch') -> None:
        """Stretch what random weights predict so that some boxes are found, and differ.

        Args:
            batch: Its first picture with its prompt is what they are found in.
        """
        inputs, samples = batch.fresh()
        logits, deltas, _ = self.ours(inputs[:1], samples[:1], mode='tensor')
        prompt = self.ours.prompts_of(samples[0])[0]
        named = sorted({token for tokens in prompt.entity_tokens for token in tokens})
        head, other = self.ours.bbox_head.head, self.peer.bbox_head.head
        head.bbox_pred.weight.div_(torch.cat([d.flatten() for d in deltas]).std())
        products = torch.cat(logits, 1)[..., named] - head.bias0
        factor = 1 / products.std()
        head.dot_product_projection_text.weight.mul_(factor)
        head.dot_product_projection_text.bias.mul_(factor)
        count = max(int(_PASSING * products.numel()), _AT_LEAST)
        # Between two of them: rounding must not decide on one at the threshold itself.
        edge = products.flatten().topk(count + 1).values[-2:].mean()
        head.bias0.fill_(torch.logit(torch.tensor(_THRESHOLD)) - factor * edge)
        for name in ('bbox_pred', 'dot_product_projection_text'):
            getattr(other, name).load_state_dict(getattr(head, name).state_dict())
        other.bias0.copy_(head.bias0)

    def checkpointed(self) -> nn.Module:
        """Ours with the preset that saves memory in training."""
        model = build_ours(self.ours_cfg, use_checkpoint=True)
        model.load_state_dict(self.ours.state_dict())
        return model.to(next(self.ours.parameters()).device)


def our_config(variant: str, *, training: bool = False) -> Config:
    """Our config of GLIP-T ('A' or 'B'), zero-shot or that of fine-tuning."""
    name = (_FINE_TUNED if training else _ZERO_SHOT).format(variant.lower())
    cfg = Config.fromfile(ROOT / 'configs' / 'glip' / name)
    cfg.model.language_model.pretrained = False
    return cfg


def build_ours(cfg: Config, *, use_checkpoint: bool = False) -> nn.Module:
    """Our model with random weights, in evaluation mode."""
    cfg = copy.deepcopy(cfg)
    if use_checkpoint:
        cfg.use_checkpoint = True
        apply_use_checkpoint(cfg)
    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry('glip'):
        return use_cpu_kernels(MODELS.build(cfg.model), frozen=True).eval()


def build_subjects(variant: str, *, training: bool, device: str) -> Subjects:
    """Both models of a variant; inside :func:`~benchmarks.speed.peer.mended`."""
    cfg = our_config(variant, training=training)
    return pair(cfg, peer_config(Path(cfg.filename).name), device=device)


def pair(ours_cfg: Config, peer_cfg: Config, *, device: str) -> Subjects:
    """Both models of two configs that describe the same network."""
    # The "+1" of the original's NMS, which ours has: both then keep the same boxes.
    peer_cfg.model.test_cfg.nms.offset = 1
    ours = build_ours(ours_cfg)
    bert_fields = ours_cfg.model.language_model.get('config')
    peer = build_peer(peer_cfg.model, ours.state_dict(), bert_fields)
    return Subjects(ours.to(device), peer.to(device), ours_cfg, peer_cfg)


def picture(index: int, size: tuple[int, int]) -> Tensor:
    """A picture of the demo in BGR, uint8 (3, H, W); those past the last are mirrored.

    Args:
        index: Which one.
        size: Height and width that it is resized to.
    """
    mirrored, index = divmod(index, len(_PICTURES))
    path = ROOT / 'demo' / f'{_PICTURES[index]}.jpg'
    with Image.open(path) as file:
        pixels = pil_to_tensor(file.convert('RGB').resize(size[::-1])).flip(0)
    return pixels.flip(2) if mirrored % 2 else pixels


@dataclass(frozen=True)
class Batch:
    """Prepared pictures, and the records that a model writes its detections into."""

    inputs: Tensor
    metas: tuple[dict, ...]

    def fresh(self) -> tuple[Tensor, list[DetDataSample]]:
        """Arguments of a model: each call gets records of its own."""
        return self.inputs, [DetDataSample(metainfo=dict(m)) for m in self.metas]

    def asking(self, names: Sequence[str]) -> 'Batch':
        """The same pictures with another prompt."""
        return Batch(
            self.inputs, tuple(m | dict(text=tuple(names)) for m in self.metas)
        )


def prepare(
    model: nn.Module,
    size: tuple[int, int],
    names: Sequence[str],
    *,
    batch: int = 1,
    first: int = 0,
) -> Batch:
    """Pictures as the test pipeline hands them to a model, with one prompt.

    Args:
        model: Its preprocessor normalises and pads, as mmdet's does.
        size: Height and width.
        names: The classes asked for.
        batch: Pictures.
        first: Index of the first picture.
    """
    samples = [
        DetDataSample(
            metainfo=dict(
                img_shape=size,
                ori_shape=size,
                scale_factor=(1.0, 1.0),
                text=tuple(names),
                custom_entities=True,
            )
        )
        for _ in range(batch)
    ]
    pictures = [picture(first + i, size) for i in range(batch)]
    data = model.data_preprocessor(dict(inputs=pictures, data_samples=samples), False)
    return Batch(data['inputs'], tuple(s.metainfo for s in data['data_samples']))


def training_batch(
    size: tuple[int, int],
    *,
    batch: int = 1,
    boxes: int = 8,
    names: Sequence[str] = COCO,
) -> dict:
    """Raw pictures with boxes, as the data loader hands them to ``train_step``."""
    generator = torch.Generator().manual_seed(0)
    height, width = size
    samples = []
    for _ in range(batch):
        sample = DetDataSample(metainfo=dict(img_shape=size, text=names))
        corner = torch.rand(boxes, 2, generator=generator) * torch.tensor(
            [width * 0.6, height * 0.6]
        )
        extent = 16 + torch.rand(boxes, 2, generator=generator) * torch.tensor(
            [width * 0.35, height * 0.35]
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.cat((corner, corner + extent), 1),
            labels=torch.randint(0, len(names), (boxes,), generator=generator),
        )
        samples.append(sample)
    return dict(inputs=[picture(i, size) for i in range(batch)], data_samples=samples)
