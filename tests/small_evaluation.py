"""Evaluate a tiny GLIP on small pictures, and perhaps die on the way.

Usage: small_evaluation.py FOLDER WORK_DIR OUT [--die-after N].
"""

from __future__ import annotations

import argparse
import copy
import os
import pickle
import signal
import sys
from pathlib import Path
from typing import Any

import coco_folder
import numpy as np
import set_folders
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from tiny_model import tiny_model

from glip.config.flags import set_test_options
from glip.engine.run import run_test
from glip.registry import HOOKS, MODELS

# No two have the padded size of each other, so a batch would pad one of them.
SIZES = [(64, 48), (48, 96), (100, 70), (33, 64), (128, 40), (70, 100), (64, 64)]
MODEL = tiny_model(
    {
        'data_preprocessor.mean': [128.0] * 3,
        'data_preprocessor.std': [64.0] * 3,
        'neck.type': 'FPN',
        'neck.relu_before_extra_convs': False,
        'bbox_head.num_dyhead_blocks': 2,
    }
)


def write(folder: Path) -> None:
    """Pictures of seven sizes with annotations, weights, and a folder of sets."""
    data = coco_folder.content(num_images=len(SIZES))
    for image, (width, height) in zip(data['images'], SIZES, strict=True):
        image.update(width=width, height=height)
    coco_folder.write(folder, data)
    for seed in (0, 1):
        torch.manual_seed(seed)
        with MODELS.switch_scope_and_registry('glip'):
            model = MODELS.build(copy.deepcopy(MODEL))
        # Scores that differ from place to place, as trained ones do.
        for parameter in model.bbox_head.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        torch.save(dict(state_dict=model.state_dict()), folder / f'weights_{seed}.pth')
    set_folders.write(folder / 'sets')


def config(folder: Path, work_dir: Path, **changes: Any) -> Config:
    """The evaluation of all pictures; ``changes`` as of ``--cfg-options``."""
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='FixScaleResize', scale=(96, 96), keep_ratio=True),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs'),
    ]
    cfg = Config(
        dict(
            default_scope='glip',
            experiment_name='small',
            model=copy.deepcopy(MODEL),
            work_dir=str(work_dir),
            load_from=str(folder / 'weights_0.pth'),
            test_cfg=dict(type='TestLoop'),
            test_dataloader=dict(
                batch_size=1,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dict(
                    type='CocoDataset',
                    data_root=str(folder),
                    ann_file='annotations.json',
                    data_prefix=dict(img=''),
                    test_mode=True,
                    pipeline=pipeline,
                ),
            ),
            test_evaluator=dict(
                type='CocoMetric', ann_file=str(folder / 'annotations.json')
            ),
            default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
            log_level='WARNING',
        )
    )
    cfg.merge_from_dict(changes)
    return cfg


def many(folder: Path, work_dir: Path, **changes: Any) -> Config:
    """The evaluation of the three sets in ``folder / 'sets'``."""
    cfg = config(folder, work_dir, **changes)
    cfg.custom_data = dict(folder=str(folder / 'sets'))
    # What knows nothing hits nothing by the usual overlaps.
    cfg.test_evaluator.iou_thrs = [0.01, 0.5]
    return cfg


def evaluate(cfg: Config, out: Path) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Results, and what was found in every picture, as arrays."""
    values = run_test(cfg, out=str(out))
    return values, found_in(out) if out.exists() else []


def found_in(out: Path) -> list[dict[str, Any]]:
    """Predictions of a file that ``--out`` wrote."""
    with out.open('rb') as file:
        predictions = pickle.load(file)
    return [
        {'img_id': p['img_id']}
        | {
            key: np.asarray(p['pred_instances'][key])
            for key in ('bboxes', 'scores', 'labels')
        }
        for p in predictions
    ]


def assert_equal(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """The same pictures in the same order, the same to the last digit."""
    assert [p['img_id'] for p in found] == [p['img_id'] for p in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert len(ours['scores']) > 5
        for key in ('bboxes', 'scores', 'labels'):
            assert ours[key].dtype == theirs[key].dtype
            np.testing.assert_array_equal(ours[key], theirs[key], str(ours['img_id']))


@HOOKS.register_module()
class Killer(Hook):
    """Notes which pictures are evaluated, and kills the process after some batches."""

    def __init__(self, file: str, after: int | None = None) -> None:
        self.file, self.after = Path(file), after

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        with self.file.open('a') as file:
            file.writelines(f'{sample.img_id}\n' for sample in outputs)
        if self.after is not None and batch_idx + 1 == self.after:
            os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module()
class Stop(Hook):
    """Stops as Ctrl-C does, after some batches."""

    def __init__(self, after: int) -> None:
        self.after = after

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if batch_idx + 1 == self.after:
            raise KeyboardInterrupt


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('folder', type=Path)
    parser.add_argument('work_dir', type=Path)
    parser.add_argument('out', type=Path)
    parser.add_argument('--die-after', type=int)
    args = parser.parse_args()
    cfg = config(args.folder, args.work_dir)
    cfg.custom_hooks = [
        dict(type='Killer', file=f'{args.work_dir}.txt', after=args.die_after)
    ]
    set_test_options(cfg, cfg.load_from)
    evaluate(cfg, args.out)


if __name__ == '__main__':
    torch.set_num_threads(1)
    sys.exit(main())
