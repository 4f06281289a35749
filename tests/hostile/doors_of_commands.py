"""Doors for configs and command lines of training, evaluation and demo."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from glip.config.files import read_config
from hostile.doors import door, run, word
from hostile.mutations import damage_json, replace_file, value

_TRAIN, _TEST = 'tools/train.py', 'tools/test.py'
# Keys of a config that people change.
_KEYS = (
    *('optim_wrapper.optimizer.type', 'optim_wrapper.optimizer.lr', 'model'),
    *('optim_wrapper.clip_grad.max_norm', 'optim_wrapper.type', 'optim_wrapper'),
    *('train_cfg.max_epochs', 'train_cfg.val_interval', 'train_cfg.type', 'train_cfg'),
    *('train_dataloader.batch_size', 'train_dataloader.num_workers', 'param_scheduler'),
    *('train_dataloader.sampler', 'train_dataloader.dataset', 'train_dataloader'),
    *('model.type', 'model.backbone', 'model.bbox_head.in_channels', 'model.neck'),
    *('model.test_cfg.score_thr', 'model.test_cfg.max_per_img', 'model.test_cfg'),
    *('model.test_cfg.nms', 'val_evaluator.metric', 'val_evaluator.ann_file'),
    *('val_evaluator', 'default_hooks.checkpoint.interval', 'default_hooks.checkpoint'),
    *('default_hooks', 'custom_hooks', 'randomness.seed', 'randomness', 'env_cfg'),
    *('load_from', 'resume', 'log_level', 'custom_data', 'custom_imports', 'compile'),
    *('launcher', 'default_scope', 'visualizer', 'log_processor', 'runner_type'),
    *('use_checkpoint', 'model_wrapper_cfg', 'auto_scale_lr', 'train_cfg.max_iters'),
)


@door('model', 'config.json')
def config_files(case: Path, rng: random.Random) -> object:
    return read_config(case / 'config.json')


@door('model')
def yaml_files(case: Path, rng: random.Random) -> object:
    """Configs that are data must not run anything."""
    canary = case.parent / 'outside' / 'canary'
    path = case / rng.choice(('config.yaml', 'config.yml'))
    (case / 'base.yaml').write_text(f'a: !!python/object/apply:os.mkdir ["{canary}"]\n')
    (case / 'bad.py').write_text(f'import os\nos.mkdir({str(canary)!r})\n')
    text = rng.choice(
        (
            f'a: !!python/object/apply:os.mkdir ["{canary}"]',
            f'a: !!python/object/new:os.mkdir ["{canary}"]',
            f'model: !!python/object/apply:subprocess.call [[mkdir, "{canary}"]]',
            '_base_: base.yaml',
            '_base_: [bad.py]',
            '_base_: ./bad.py',
            '_base_: config.yaml\n_base: 1',
            '_base_: 5',
            'custom_imports: {imports: [bad]}',
            'custom_imports: 5',
            'a: &a [*a]',
            'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b]',
            '[1, 2]',
            'x',
            '',
            'a: b: c',
            '\tb: 1',
            '{' * 5000,
            'a: 2020-13-45',
            'a: "{{$HOME:x}}"',
            'a: {{_base_.x}}',
        )
    )
    path.write_text(text)
    return read_config(path)


@door('model')
def types_in_data(case: Path, rng: random.Random) -> object:
    """No type that a config of data names may be a function that does something."""
    canary = str(case.parent / 'outside' / 'canary')
    config = json.loads((case / 'config.json').read_text())
    bad = rng.choice(
        (
            {'type': 'os.mkdir', 'path': canary},
            {'type': 'os.makedirs', 'name': canary},
            {'type': 'pathlib.Path.mkdir', 'self': canary},
            {'type': 'mmengine.mkdir_or_exist', 'dir_name': canary},
            {'type': 'mmengine.utils.mkdir_or_exist', 'dir_name': canary},
        )
    )
    key = rng.choice(('model', 'visualizer', 'test_evaluator', 'test_dataloader'))
    if key == 'test_dataloader':
        config[key]['dataset']['pipeline'].insert(0, bad)
    else:
        config[key] = bad
    (case / 'config.json').write_text(json.dumps(config))
    return _test(case, [])


def _test(case: Path, arguments: list[Any]) -> int:
    config, weights = case / 'config.json', case / 'weights_0.pth'
    return run(_TEST, config, weights, '--work-dir', case / 'run', *arguments)


def _train(case: Path, arguments: list[Any]) -> int:
    config = case / 'config.json'
    return run(_TRAIN, config, '--work-dir', case / 'run', *arguments)


@door('model', 'config.json', 'weights_0.pth', 'annotations.json', share=1.5)
def evaluate(case: Path, rng: random.Random) -> object:
    return _test(case, [])


@door('model', 'config.json', 'annotations.json', '0.png', share=1.5)
def train(case: Path, rng: random.Random) -> object:
    return _train(case, [])


@door('model', share=4)
def config_values(case: Path, rng: random.Random) -> object:
    """One key that people change, with a value that it is not meant for."""
    config: Any = json.loads((case / 'config.json').read_text())
    *path, last = rng.choice(_KEYS).split('.')
    inner = config
    for part in path:
        inner = inner[part]
    inner[last] = value(rng)
    if last == 'compile' and inner[last] is True:
        return None  # compiles, which takes minutes
    text = json.dumps(config).replace('"@DEEP@"', '[' * 300 + ']' * 300)
    (case / 'config.json').write_text(text)
    return _train(case, []) if rng.random() < 0.6 else _test(case, [])


@door('model', share=3)
def cfg_options(case: Path, rng: random.Random) -> object:
    key = rng.choice((*_KEYS, *_KEYS, 'a', 'a.b', 'model.x.y.z', '', '.', word(rng)))
    text = rng.choice((word(rng), f'[{word(rng)}', '(1,2', '"', 'nan', '1e999', ''))
    options = rng.choice(([f'{key}={text}'], [word(rng)], [key], ['abc'], ['a=1=2']))
    if any(option.startswith('-') for option in options):
        options = ['abc']
    if 'work_dir' in options[0]:
        return None
    arguments = ['--cfg-options', *options]
    return (_train if rng.random() < 0.5 else _test)(case, arguments)


@door('model', share=2)
def run_options(case: Path, rng: random.Random) -> object:
    """Flags of training and evaluation."""
    file = case / 'in_the_way'
    file.write_text('x')
    flags = [
        *(['--launcher', 'pytorch'], ['--launcher', 'slurm'], ['--launcher', 'mpi']),
        *(['--resume', word(rng)], ['--resume'], ['--work-dir', str(file)]),
        *(['--work-dir', str(file / 'x')], ['--work-dir', '/dev/full']),
        *(['--amp', word(rng)], ['--auto-scale-lr'], ['--unknown'], ['--local_rank']),
    ]
    if rng.random() < 0.4:
        return _train(case, rng.choice(flags))
    flags += [
        *(['--out', str(case)], ['--out', str(file / 'x.pkl')], ['--out', 'x.txt']),
        *(['--out', str(case / 'no' / 'x.pkl')], ['--plots', str(file)]),
        *(['--show-dir', str(file)], ['--batch-size', word(rng)], ['--tta']),
        *(['--cfg-options', f'test_evaluator.outfile_prefix={file}/x'],),
        *(['--out', str(case / 'annotations.json')], ['--out', '/dev/full']),
    ]
    return _test(case, rng.choice(flags))


@door('model', '0.png', 'finder.pth', share=2)
def demo(case: Path, rng: random.Random) -> object:
    flags = [
        *([], [], [], ['--texts', word(rng)], ['--pred-score-thr', word(rng)]),
        *(['--tokens-positive', word(rng)], ['--chunked-size', word(rng)]),
        *(['--batch-size', word(rng)], ['--device', word(rng)], ['--weights', 'x']),
    ]
    source = rng.choice((case / '0.png', case, word(rng)))
    out = case / 'out'
    (case.parent / 'outside' / 'victim').write_text('as it was')
    chance = rng.random()
    if chance < 0.15:
        replace_file(out, rng)
    elif chance < 0.4:
        for name in ('vis/0.jpg', 'preds/0.json'):
            (out / name).parent.mkdir(parents=True)
            if rng.random() < 0.5:
                (out / name).symlink_to(case.parent / 'outside' / 'victim')
            else:
                (out / name).write_text('old')
                replace_file(out / name, rng)
    return run(
        *('demo/image_demo.py', source, case / 'finder.py'),
        *('--weights', case / 'finder.pth', '--texts', 'red. green'),
        *('--device', 'cpu', '--out-dir', out, *rng.choice(flags)),
    )


@door('model', 'config.json', 'annotations.json', share=1)
def analysis(case: Path, rng: random.Random) -> object:
    config = case / 'config.json'
    if rng.random() < 0.4:
        config.write_text(damage_json(config.read_text(), rng))
    kind = rng.choice(('get_flops', 'browse_dataset', 'benchmark'))
    arguments: dict[str, list[Any]] = {
        'get_flops': [config, '--shape', rng.choice((32, word(rng)))],
        'browse_dataset': [config, '-o', case / 'seen', '-n', 2],
        'benchmark': [config, '--task', rng.choice(('dataset', 'dataloader'))],
    }
    return run(f'tools/analysis_tools/{kind}.py', *arguments[kind])
