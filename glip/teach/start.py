"""From the files of a closed detector and of a language model to a GLIP checkpoint."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import torch
from mmengine.logging import print_log
from torch import Tensor

from glip.apis.loading import build_model
from glip.apis.pipeline import InferencePipeline
from glip.checkpoints import read_checkpoint, save_state_dict
from glip.config.files import read_config
from glip.errors import CheckpointError, ConfigError, ImageError
from glip.images import find_images, load_image
from glip.models import GLIP, ClassSpaceNeck
from glip.models.cpu import use_cpu_kernels
from glip.runtime.progress import track
from glip.teach.closed_form import class_space, fit_words, put_into
from glip.teach.text_distillation import collect_positions, distill_text
from glip.teach.words import PromptSampler, WordList


def start_from_detector(
    config: str | Path,
    detector: str | Path,
    words: str | Path,
    out: str | Path,
    *,
    language: str | Path,
    pictures: str | Path | None = None,
    max_pictures: int = 600,
    steps: int = 1500,
    scale: float = 1.0,
    offset: float = 0.0,
    seed: int = 0,
) -> None:
    """Write a checkpoint of ``config``'s model that finds the detector's classes.

    The result depends on nothing but the files and the seed.

    Args:
        config: Config whose neck is a :class:`~glip.models.ClassSpaceNeck`.
        detector: Weights ``backbone.*``, ``neck.*`` (the inner neck) and, for each
            level i, ``predict.i.weight`` and ``predict.i.bias``.
        words: See :meth:`WordList.read`; its classes in the detector's order.
        out: File to write.
        language: Folder with the weights of the language model.
        pictures: Folder of pictures for the text distillation; None leaves it out.
        max_pictures: Most pictures used of it.
        steps: Optimiser steps of the distillation.
        scale: Factor on the detector's logits.
        offset: Added to them.
        seed: Of all draws.

    Raises:
        ConfigError: Config, words and detector do not belong together.
        CheckpointError: The detector's weights are missing or of another model.
    """
    if steps < 1 or max_pictures < 1:
        raise ConfigError(
            f'steps={steps} and max_pictures={max_pictures} must be 1 or more'
        )
    torch.manual_seed(seed)
    cfg = read_config(config)
    cfg.model.language_model.pretrained = str(language)
    model = use_cpu_kernels(build_model(cfg)).eval()
    if not isinstance(model.neck, ClassSpaceNeck):
        raise ConfigError(
            f'{config}: the neck must be a ClassSpaceNeck, which gives the class '
            f'space; it is {type(model.neck).__name__}'
        )
    word_list = WordList.read(words)
    chosen = [] if pictures is None else _choose(pictures, max_pictures, seed)
    state = read_checkpoint(detector)['state_dict']
    weight, bias = _class_layers(state, detector)
    num_classes = len(word_list.names)
    if weight.shape[1] <= num_classes:
        raise ConfigError(
            f'{words} has {num_classes} classes, but the last layers of {detector} '
            f'have only {weight.shape[1]} channels for classes and distances'
        )
    _load_part(model.backbone, state, 'backbone.', detector)
    _load_part(model.neck.neck, state, 'neck.', detector)
    model.language_model.init_weights()
    space = class_space(
        weight[:, :num_classes], bias[:, :num_classes], scale=scale, offset=offset
    )
    put_into(model, space, weight[:, num_classes:], bias[:, num_classes:])
    print_log('fitting words to the class space', 'current')
    fit_words(model, space, PromptSampler(word_list, seed=seed, sentences=0.2))
    if pictures is not None:
        pipeline = InferencePipeline.from_config(cfg)
        prepared = _prepared(model, pipeline, chosen)
        positions = collect_positions(model, prepared, space)
        if not len(positions):
            raise ConfigError(f'{pictures}: none of its pictures can be read')
        print_log(f'{len(positions)} positions of {len(chosen)} pictures', 'current')
        sampler = PromptSampler(word_list, seed=seed + 1)
        distill_text(model, space, positions, sampler, steps=steps, seed=seed)
    save_state_dict(model.state_dict(), out)


def _class_layers(
    state: dict[str, Tensor], source: str | Path
) -> tuple[Tensor, Tensor]:
    """Weights (L, K, D) and biases (L, K) of the last layers."""
    levels = len({name.rpartition('.')[0] for name in state if 'predict.' in name})
    try:
        weights = [state[f'predict.{i}.weight'].float() for i in range(levels)]
        biases = [state[f'predict.{i}.bias'].float() for i in range(levels)]
        return torch.stack(weights).flatten(2), torch.stack(biases)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f'{source} lacks the last layers of a detector: predict.i.weight and '
            'predict.i.bias for each level i, all of one size'
        ) from error


def _load_part(
    module: torch.nn.Module, state: dict[str, Tensor], prefix: str, source: str | Path
) -> None:
    part = {
        name.removeprefix(prefix): tensor.float()
        for name, tensor in state.items()
        if name.startswith(prefix)
    }
    try:
        module.load_state_dict(part)
    except RuntimeError as error:
        raise CheckpointError(
            f"{source}: its {prefix}* are not those of the config's "
            f'{type(module).__name__} ({" ".join(str(error).split())[:200]})'
        ) from error


def _choose(folder: str | Path, most: int, seed: int) -> list[Path]:
    paths = sorted(find_images(folder))
    random.Random(seed).shuffle(paths)
    return paths[:most]


def _prepared(
    model: GLIP, pipeline: InferencePipeline, paths: list[Path]
) -> Iterator[Tensor]:
    """Pictures as the model sees them, one by one; broken ones are passed over."""
    for path in track(paths, len(paths), 'pictures'):
        try:
            item = pipeline(load_image(path))
        except ImageError as error:
            print_log(f'passed over: {error}', 'current')
            continue
        data = {key: [item[key]] for key in ('inputs', 'data_samples')}
        yield model.data_preprocessor(data, False)['inputs']
