"""How many operations a model needs for a picture and a prompt, and its parameters."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torchvision  # noqa: F401  # its operations count as well
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn
from torch.utils.flop_counter import (
    FlopCounterMode,
    conv_flop_count,
    sdpa_flop_count,
)

from glip.apis.loading import build_model, resolve_device
from glip.errors import ConfigError
from glip.evaluation.offline import build_dataset
from glip.ops import plain_path
from glip.ops.torch_internals import packed_linear_operator

_HEAD = 'bbox_head.head'
_PARTS = ('backbone', 'neck', 'language_model', 'bbox_head')


@dataclass(frozen=True)
class Complexity:
    """What one picture with its prompt costs.

    Attributes:
        macs: Multiply-adds of matrix products, convolutions and attention. This is
            what mmdet and most tables call FLOPs.
        parts: Multiply-adds of the model's parts; they add up. That of
            ``language_model`` is paid once per prompt, not per picture.
        head: Multiply-adds of what ``bbox_head`` consists of, by kind of module.
        params: Parameters.
        part_params: Those of the parts.
        input_shape: (height, width) that the model saw, padded.
        tokens: Of the prompt; of several, all together.
        prompts: Into how many the classes were split.
    """

    macs: int
    parts: Mapping[str, int]
    head: Mapping[str, int]
    params: int
    part_params: Mapping[str, int]
    input_shape: tuple[int, int]
    tokens: int
    prompts: int

    @property
    def flops(self) -> int:
        """Multiplications and additions counted each."""
        return 2 * self.macs


def count_macs(
    model: nn.Module, run: Callable[[], Any]
) -> tuple[int, dict[str, dict[str, int]]]:
    """Count the multiply-adds of a call, by module and operation.

    Matrix products, convolutions, attention and deformable convolutions are counted;
    what is done element by element (norms, activations, the bilinear sampling of
    deformable convolutions) is not, as in other tools. A deformable convolution
    counts as much as a plain one of its size, and all is computed as the papers write
    it: kernels that need fewer operations for the same result do not change the sum.

    Args:
        model: What is called, for the names.
        run: Calls it.

    Returns:
        The sum, and module -> operation -> multiply-adds.
    """
    counter = flop_counter()
    with torch.no_grad(), plain_path(), counter:
        run()
    root = type(model).__name__
    by_module = {}
    for module, operations in counter.get_flop_counts().items():
        name = module.removeprefix(root).lstrip('.')
        by_module[name] = {
            str(operation).rpartition('.')[2]: count // 2
            for operation, count in operations.items()
        }
    return counter.get_total_flops() // 2, by_module


def picture_complexity(
    cfg: Config,
    *,
    shape: tuple[int, int] = (800, 1333),
    text: Any = None,
    custom_entities: bool | None = None,
    device: str | None = None,
) -> Complexity:
    """Count a model's operations for a picture of noise.

    Args:
        cfg: Its ``model`` is built; weights do not matter and are not loaded.
        shape: (height, width) in pixels, padded as the model does.
        text: The prompt: anything ``glip.text.parse_text`` takes.
        custom_entities: Take a string as class names.
        device: Defaults to the GPU, where there is one.

    Raises:
        ConfigError: There is no model, or the shape is no size.
        PromptError: The text cannot be read.
    """
    if len(shape) != 2 or min(shape) < 1:
        raise ConfigError(f'a shape is height and width in pixels, not {shape}')
    model = build_model(cfg).to(resolve_device(device)).eval()
    sample = DetDataSample()
    sample.set_metainfo(
        {
            'img_id': 0,
            'ori_shape': tuple(shape),
            'img_shape': tuple(shape),
            'scale_factor': (1.0, 1.0),
            'text': text,
            'custom_entities': custom_entities,
        }
    )
    noise = torch.randint(0, 256, (3, *shape), dtype=torch.uint8)
    return _counted(model, {'inputs': [noise], 'data_samples': [sample]})


def data_complexity(
    cfg: Config, number: int, *, device: str | None = None
) -> list[Complexity]:
    """Count a model's operations for the first pictures of its test data.

    Args:
        cfg: With ``test_dataloader``; its pictures are taken one by one, with the
            prompts they come with.
        number: How many at most.
        device: Defaults to the GPU, where there is one.

    Raises:
        ConfigError: There is no model or no test data.
        DatasetError: The data is not usable.
    """
    if number < 1:
        raise ConfigError(f'--num-images must be at least 1, not {number}')
    dataset = build_dataset(cfg, 'test')
    model = build_model(cfg).to(resolve_device(device)).eval()
    counts = []
    with DefaultScope.overwrite_default_scope('glip'):
        for index in range(min(number, len(dataset))):
            packed = dataset[index]
            batch = {key: [value] for key, value in packed.items()}
            counts.append(_counted(model, batch))
    return counts


def mean_of(counts: Sequence[Complexity]) -> Complexity:
    """The mean over pictures; size and prompt are those of the first."""

    def mean(maps: Sequence[Mapping[str, int]]) -> dict[str, int]:
        sums = Counter[str]()
        for one in maps:
            sums.update(one)
        return {key: round(value / len(maps)) for key, value in sums.items()}

    return replace(
        counts[0],
        macs=round(statistics.fmean(one.macs for one in counts)),
        parts=mean([one.parts for one in counts]),
        head=mean([one.head for one in counts]),
    )


def in_units(number: float) -> str:
    """A large number in few digits: 1.23 T, 45.6 G, 7.89 M."""
    for factor, unit in ((1e12, 'T'), (1e9, 'G'), (1e6, 'M'), (1e3, 'K')):
        if number >= factor:
            return f'{number / factor:.4g} {unit}'
    return f'{number:.4g}'


def _counted(model: nn.Module, batch: dict[str, Any]) -> Complexity:
    """Run a model once and count."""
    # Encoded texts are kept, which would hide what they cost.
    model.train(False)
    data = model.data_preprocessor(batch, False)
    samples = data['data_samples']
    total, by_module = count_macs(
        model, lambda: model(data['inputs'], samples, mode='predict')
    )
    named = dict(model.named_children())
    order = [name for name in _PARTS if name in named]
    order += [name for name in named if name not in order and _params(named[name])]
    parts = {name: sum(by_module.get(name, {}).values()) for name in order}
    if not parts.get('bbox_head', 1):
        # It is asked by its methods, not called, so it gets what is left.
        parts['bbox_head'] = total - sum(parts.values())
    tokens, prompts = 0, 0
    if hasattr(model, 'prompts_of'):
        encoded = model.prompts_of(samples[0])
        tokens = sum(len(prompt.input_ids) for prompt in encoded)
        prompts = len(encoded)
    return Complexity(
        macs=total,
        parts=parts,
        head=_by_kind(by_module, dict(model.named_modules())),
        params=_params(model),
        part_params={name: _params(named[name]) for name in order},
        input_shape=tuple(data['inputs'].shape[-2:]),
        tokens=tokens,
        prompts=prompts,
    )


def _by_kind(
    by_module: Mapping[str, Mapping[str, int]], modules: Mapping[str, nn.Module]
) -> dict[str, int]:
    """Sums over the modules two levels below the head, by their kind.

    The head is ``bbox_head.head`` with the blocks in it; what it does itself is listed
    by its own kind.
    """
    sums = {name: sum(counts.values()) for name, counts in by_module.items()}
    inner = [n for n in sums if n in modules and n.startswith(f'{_HEAD}.')]
    by_kind = Counter[str]()
    for name in inner:
        if not any(name.startswith(f'{other}.') for other in inner):
            by_kind[type(modules[name]).__name__] += sums[name]
    if _HEAD in sums:
        by_kind[type(modules[_HEAD]).__name__] = sums[_HEAD] - by_kind.total()
    return dict(by_kind.most_common())


def _params(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def flop_counter() -> FlopCounterMode:
    """Torch's counter, which also knows what it passes over or knows on GPUs only."""
    operations = {
        torch.ops.torchvision.deform_conv2d: _deform_conv_flops,
        torch.ops.glip.gather_deform_conv2d: _gather_conv_flops,
        torch.ops.glip.gather_deform_conv2d_backward: _gather_conv_backward_flops,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,
    }
    if torch.backends.mkldnn.is_available() and (product := packed_linear_operator()):
        operations[product] = _linear_flops
    return FlopCounterMode(display=False, custom_mapping=operations)


def _deform_conv_flops(*shapes: Any, out_shape: Sequence[int], **_: Any) -> int:
    """Of ``torchvision::deform_conv2d``: as many as a plain convolution has."""
    _, (_, *taps), *_ = shapes
    return 2 * math.prod(out_shape) * math.prod(taps)


def _gather_conv_flops(
    x: Any, offset: Any, mask: Any, weight: Any, *_: Any, out_shape: Any, **__: Any
) -> int:
    """Of a deformable convolution of ours: as many as a plain one has."""
    return conv_flop_count(x, weight, out_shape)


def _gather_conv_backward_flops(
    grad: Any, x: Any, offset: Any, mask: Any, weight: Any, *_: Any, **__: Any
) -> int:
    """Of its backward pass: the gradients of columns and of the weight."""
    return 2 * conv_flop_count(x, weight, grad)


def _attention_flops(*shapes: Any, **_: Any) -> int:
    """Of the CPU's attention kernel, which torch counts on other devices only."""
    return sdpa_flop_count(*shapes[:3])


def _linear_flops(*shapes: Any, **_: Any) -> int:
    """Of a product of rows (n, K) with a weight (N, K) that oneDNN has laid out."""
    rows, (width, *_), *_ = shapes
    return 2 * math.prod(rows) * width


def summary(complexity: Complexity) -> list[str]:
    """Lines that say it all.

    Args:
        complexity: What was counted.
    """
    rows = [('part', 'multiply-adds', 'params')]
    for name, macs in complexity.parts.items():
        rows.append((name, in_units(macs), in_units(complexity.part_params[name])))
        if name == 'bbox_head':
            inner = complexity.head.items()
            rows += [(f'  {kind}', f'  {in_units(n)}', '') for kind, n in inner if n]
    rest = complexity.macs - sum(complexity.parts.values())
    if rest:
        rows.append(('other', in_units(rest), ''))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = ['  '.join(f'{v:<{w}}' for v, w in zip(row, widths)) for row in rows]
    return [
        *(line.rstrip() for line in lines),
        f'Input shape: {complexity.input_shape}',
        f'Prompt: {complexity.tokens} tokens in {complexity.prompts} '
        f'prompt{"" if complexity.prompts == 1 else "s"}',
        f'Flops: {in_units(complexity.macs)} (multiply-adds, as MMDetection counts)',
        f'Params: {in_units(complexity.params)}',
    ]
