"""Doors for weights, detectors, words and what evaluations leave behind."""

from __future__ import annotations

import functools
import pickle
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import glip
from glip.checkpoints import load_state_dict, read_checkpoint, save_state_dict
from glip.engine.spool import Spool, read_spool
from glip.evaluation.predictions import read_predictions
from glip.evaluation.set_table import read_table
from glip.report.logs import read_log, time_lines
from glip.text import parse_text
from hostile.doors import door, run, word
from hostile.mutations import damage_bytes, damage_pickle, replace_file, value


@door('model', 'weights_0.pth', 'weights.safetensors', share=3)
def weights(case: Path, rng: random.Random) -> object:
    file = case / rng.choice(('weights_0.pth', 'weights.safetensors'))
    if rng.random() < 0.3:
        return load_state_dict(file)
    return read_checkpoint(file)


@door('model', 'weights_0.pth', 'weights.safetensors')
def convert_weights(case: Path, rng: random.Random) -> object:
    files = [case / 'weights_0.pth', case / 'weights.safetensors']
    rng.shuffle(files)
    out = rng.choice((case / 'out.pth', case / 'out.safetensors', case, files[0]))
    kind = rng.choice(('glip_to_mmdet', 'interpolate_weights', 'nanodet_to_glip'))
    inputs = files if kind == 'interpolate_weights' else files[:1]
    return run(f'tools/model_converters/{kind}.py', *inputs, out)


@door('model', share=1)
def checkpoint_values(case: Path, rng: random.Random) -> object:
    """A checkpoint of plain values where tensors are expected."""
    state: Any = {'backbone.x': torch.zeros(2), str(value(rng))[:90]: value(rng)}
    if rng.random() < 0.3:
        state = value(rng)
    content: Any = {'state_dict': state, 'meta': value(rng)}
    torch.save(rng.choice((content, state)), case / 'x.pth')
    return load_state_dict(case / 'x.pth')


@door('model', share=1)
def saving(case: Path, rng: random.Random) -> object:
    path = case / rng.choice(('a.pth', 'a.safetensors'))
    (case.parent / 'outside' / 'victim').write_text('as it was')
    if rng.random() < 0.5:
        path.symlink_to(case.parent / 'outside' / 'victim')
    else:
        path.write_bytes(b'old')
        replace_file(path, rng)
    return save_state_dict({'a': torch.zeros(2)}, path)


@functools.cache
def _finder(config: str, weights: str) -> Any:
    return glip.load(config, weights, device='cpu')


def _detector(case: Path) -> Any:
    """The stand-in, read once for all cases."""
    home = case.parent / 'finder'
    if not home.exists():
        home.mkdir()
        for name in ('finder.py', 'finder.pth'):
            shutil.copy(case / name, home)
    return _finder(str(home / 'finder.py'), str(home / 'finder.pth'))


@door('model', documented=(ValueError, TypeError), share=4)
def detector_options(case: Path, rng: random.Random) -> object:
    """Arguments of a call; its documentation names ValueError and TypeError."""
    picture = str(case / '0.png')
    arguments: dict[str, Any] = dict(images=picture, text='red. blue')
    keys = ['images', 'text', 'texts', 'threshold', 'batch_size', 'custom_entities']
    keys += ['tokens_positive', 'chunked_size', 'on_error']
    for key in rng.sample(keys, rng.choice((1, 1, 2))):
        arguments[key] = value(rng)
    if rng.random() < 0.2:
        arguments['images'] = [picture, value(rng)]
    return _detector(case)(**arguments)


@door('model', share=2)
def pictures_in_memory(case: Path, rng: random.Random) -> object:
    kinds: tuple[Any, ...] = (np.uint8, np.float32, np.int64, bool, object, 'U3')
    shape = rng.choice(((0, 0, 3), (8, 8), (8, 8, 5), (8,), (2, 2, 2, 2), (1, 400, 3)))
    array = np.zeros(shape, dtype=rng.choice(kinds))
    mode = rng.choice(('1', 'L', 'P', 'RGBA', 'CMYK', 'YCbCr', 'LAB', 'HSV', 'I', 'F'))
    image = Image.new(mode, rng.choice(((1, 1), (9, 1), (1, 900))))
    source = rng.choice((array, image, value(rng), b'abc', object()))
    return _detector(case)(source, 'red')


@door('model', share=2)
def words(case: Path, rng: random.Random) -> object:
    first, second = value(rng), value(rng)
    text = rng.choice((first, [first], [first, 'red'], {str(second): first}, 'a b'))
    options = {
        'custom_entities': rng.choice((None, True, value(rng))),
        'tokens_positive': rng.choice((None, None, [[first]], value(rng))),
    }
    return parse_text(text, **options)


@door('model', 'finder.py', 'finder.pth')
def load_finder(case: Path, rng: random.Random) -> object:
    return glip.load(str(case / 'finder.py'), str(case / 'finder.pth'), device='cpu')


@door('model', documented=(TypeError,), share=1)
def load_options(case: Path, rng: random.Random) -> object:
    """Arguments of glip.load; a value that is no path is a TypeError of os.fspath."""
    arguments: dict[str, Any] = dict(
        model=str(case / 'finder.py'), weights=str(case / 'finder.pth'), device='cpu'
    )
    key = rng.choice(('model', 'weights', 'device', 'amp', 'compile'))
    arguments[key] = value(rng)
    if arguments.get('compile') is True:
        return None  # compiles, which takes a minute
    return glip.load(**arguments)


@door('coco', 'found.pkl', share=2)
def found_boxes(case: Path, rng: random.Random) -> object:
    return read_predictions(case / 'found.pkl')


@door('coco')
def found_values(case: Path, rng: random.Random) -> object:
    """Predictions whose fields are something else."""
    with open(case / 'found.pkl', 'rb') as file:
        content = pickle.load(file)  # written by the seeds
    sample = content[0]
    part = rng.choice((sample, sample['pred_instances']))
    part[rng.choice(list(part))] = rng.choice((value(rng), torch.zeros(3, 4)))
    (case / 'found.pkl').write_bytes(pickle.dumps(content))
    return run('tools/analysis_tools/eval_metric.py', _config(case), case / 'found.pkl')


def _config(case: Path) -> Path:
    """A config that evaluates the pictures of a case."""
    path = case / 'eval.py'
    file = str(case / 'annotations.json')
    loader = dict(
        dataset=dict(
            type='CocoDataset',
            ann_file=file,
            data_prefix=dict(img=str(case)),
            test_mode=True,
            pipeline=[dict(type='LoadAnnotations'), dict(type='PackDetInputs')],
        )
    )
    evaluator = dict(type='CocoMetric', ann_file=file)
    path.write_text(f'test_dataloader = {loader!r}\ntest_evaluator = {evaluator!r}\n')
    return path


@door('odd', 'scalars.json', share=2)
def logs(case: Path, rng: random.Random) -> object:
    file = case / 'scalars.json'
    if rng.random() < 0.3:
        out = rng.choice(('curves.png', 'curves.xyz', str(case), '/dev/full'))
        arguments = ['--keys', rng.choice(('loss', word(rng))), '--out', out]
        return run(
            'tools/analysis_tools/analyze_logs.py', 'plot_curve', file, *arguments
        )
    return time_lines(read_log(file), include_outliers=True)


@door('odd', 'sets.json', share=2)
def tables(case: Path, rng: random.Random) -> object:
    if rng.random() < 0.5:
        return read_table(case / 'sets.json')
    out = rng.choice((case / 'joined', case / 'sets.json', '/dev/full'))
    return run('tools/analysis_tools/join_sets.py', case, '--out', out)


@door('odd', share=2)
def spools(case: Path, rng: random.Random) -> object:
    """What a stopped evaluation left, in a work directory from somebody else."""
    folder = case / 'unfinished_test'
    spool = Spool(folder, 0, {'checkpoint': ('ab', 'w.pth')}, resume=False)
    for number in range(3):
        spool.add({number: [[{'img_id': number, 'scores': np.zeros(number)}]]})
    spool.close()
    file = next(folder.glob('rank_0*'))
    data = file.read_bytes()
    if rng.random() < 0.2:
        replace_file(file, rng)
    elif rng.random() < 0.5:
        canary = case.parent / 'outside' / 'canary'
        file.write_bytes(damage_pickle(data, rng, canary))
    else:
        file.write_bytes(damage_bytes(data, rng))
    return read_spool(folder)
