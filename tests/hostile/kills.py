"""Kill trainings at bad moments, let them go on, and compare their best checkpoints.

    python tests/hostile/kills.py --folder work_dirs/kills

Each of 20 trainings is killed once, by SIGKILL: in a validation, while a checkpoint is
written, before an old one is deleted, or between two steps. It then goes on by
``--resume`` to the end. Right is a run that ends with the best checkpoint, the best
score and the weights of one that nobody disturbed, and without half-written files.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

if __name__ == '__main__':
    _TESTS = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(_TESTS.parent), str(_TESTS), str(_TESTS / 'test_apis')]

import coco_folder
import interrupted_run
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook

from glip.config.flags import set_training_options
from glip.engine.run import run_training
from glip.registry import HOOKS, METRICS

EPOCHS = 4
KILLS = (
    *('val:1:0', 'val:2:0', 'val:2:3', 'val:3:7', 'val:4:4'),
    *('save:1:0.5', 'save:2:0.1', 'save:3:0.9', 'save:4:0.5', 'save:6:0.0'),
    *('remove:1', 'remove:2', 'remove:3', 'replace:2', 'replace:5'),
    *('step:0', 'step:3', 'step:4', 'step:9', 'step:15'),
)


@METRICS.register_module(force=True)
class Waves(BaseMetric):
    """A result that goes up and down, and that the weights alone decide."""

    default_prefix = 'waves'

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        self.results += [
            float(s['pred_instances']['scores'].sum()) for s in data_samples
        ]

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        return {'height': math.cos(1e5 * sum(results))}


@HOOKS.register_module(force=True)
class Moment(Hook):
    """Dies in a validation or before a step."""

    priority = 'VERY_HIGH'

    def __init__(self, kind: str, numbers: Sequence[int]) -> None:
        self.kind, self.numbers = kind, tuple(numbers)

    def before_val_iter(self, runner: Any, batch_idx: int, data_batch: Any) -> None:
        if self.kind == 'val' and self.numbers == (runner.epoch, batch_idx):
            _die()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any) -> None:
        if self.kind == 'step' and self.numbers == (runner.iter,):
            _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_in(kind: str, number: int, share: float) -> None:
    """Die in the n-th writing, replacing or deleting of a checkpoint."""
    count = 0

    def counted(act: Callable[..., Any], before: Callable[..., None]) -> Any:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            if any('.pth' in str(argument) for argument in args):
                count += 1
                if count == number:
                    before(*args)
                    _die()
            return act(*args, **kwargs)

        return wrapper

    def half(_: Any, data: bytes, path: str) -> None:
        Path(path).write_bytes(data[: int(len(data) * share)])

    if kind == 'save':
        LocalBackend.put = counted(LocalBackend.put, half)
    elif kind == 'replace':
        os.replace = counted(os.replace, lambda *_: None)
    elif kind == 'remove':
        LocalBackend.remove = counted(LocalBackend.remove, lambda *_: None)


def config(pictures: Path, work_dir: Path) -> Config:
    """Four epochs, each validated, of which the last and the best checkpoint stay."""
    cfg = interrupted_run.config(str(pictures), str(work_dir), 'epoch', 0)
    cfg.train_cfg.update(max_epochs=EPOCHS, val_interval=1)
    cfg.model.test_cfg = dict(score_thr=0.0, max_per_img=20)
    loader = cfg.train_dataloader.to_dict()
    loader |= dict(batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False))
    loader.pop('batch_sampler')
    loader['dataset'] |= dict(
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='PackDetInputs', meta_keys=_KEYS),
        ],
    )
    cfg.val_dataloader, cfg.val_cfg = loader, dict(type='ValLoop')
    cfg.val_evaluator = dict(type='Waves')
    cfg.default_hooks.checkpoint = dict(
        type='CheckpointHook',
        interval=1,
        max_keep_ckpts=1,
        save_best='waves/height',
        rule='greater',
    )
    cfg.randomness = dict(seed=3)
    return cfg


_KEYS = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'text', 'custom_entities')


def train(pictures: Path, work_dir: Path, kill: str, log: Path) -> None:
    """Train in a process of its own, from the last checkpoint if there is one."""
    with log.open('a') as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    torch.set_num_threads(1)
    cfg = config(pictures, work_dir)
    kind, *numbers = kill.split(':')
    if kind in ('save', 'replace', 'remove'):
        _die_in(kind, int(numbers[0]), float(numbers[1]) if numbers[1:] else 0.0)
    elif kind:
        cfg.custom_hooks.append(
            dict(type='Moment', kind=kind, numbers=[int(n) for n in numbers])
        )
    set_training_options(cfg, resume='auto')
    run_training(cfg)


def outcome(work_dir: Path) -> tuple[Any, ...]:
    """Best checkpoint, its weights, the best score, and files that are left over."""
    last = work_dir / f'epoch_{EPOCHS}.pth'
    info = torch.load(last, weights_only=False)['message_hub']['runtime_info']
    best = sorted(path.name for path in work_dir.glob('best_*.pth'))
    states = [
        torch.load(work_dir / name, weights_only=False)['state_dict'] for name in best
    ]
    sums = [sum(float(t.double().sum()) for t in state.values()) for state in states]
    parts = sorted(path.name for path in work_dir.glob('.*part'))
    return best, sums, info['best_score'], Path(info['best_ckpt']).name, parts


def run(pictures: Path, work_dir: Path, kill: str = '') -> int:
    """Exit code of a training, negative the signal that ended it."""
    work_dir.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context('fork')
    process = context.Process(
        target=train, args=(pictures, work_dir, kill, work_dir / 'output.txt')
    )
    process.start()
    process.join()
    return process.exitcode or 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--folder', type=Path, default=Path('work_dirs/kills'))
    parser.add_argument('--kill', action='append', help=f'of {", ".join(KILLS)}')
    args = parser.parse_args()
    shutil.rmtree(args.folder, ignore_errors=True)
    pictures = args.folder.absolute() / 'pictures'
    coco_folder.write(pictures, num_images=8)
    whole = args.folder.absolute() / 'whole'
    if code := run(pictures, whole):
        print((whole / 'output.txt').read_text()[-2000:])
        return code
    expected = outcome(whole)
    print(f'undisturbed: {expected}')
    wrong = 0
    for kill in args.kill or KILLS:
        work_dir = args.folder.absolute() / kill.replace(':', '_')
        codes = [run(pictures, work_dir, kill), run(pictures, work_dir)]
        ended = codes == [-signal.SIGKILL, 0]
        result: Any = outcome(work_dir) if ended else f'exit codes {codes}'
        wrong += result != expected
        print(f'{kill:12} {"right" if result == expected else f"WRONG: {result}"}')
    print(f'{len(args.kill or KILLS)} kills, {wrong} with another outcome')
    return int(wrong > 0)


if __name__ == '__main__':
    sys.exit(main())
