"""Training with a tuning mode: what changes, what is stored, and where it is used."""

import json

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import load_file

from glip.apis import build_model, load
from glip.checkpoints import load_state_dict, save_state_dict
from glip.checkpoints.layouts import PROMPT_KEY
from glip.checkpoints.reader import tuned_metadata
from glip.errors import CheckpointError
from glip.models.detectors import is_tuned

_slow = [pytest.param(m, marks=pytest.mark.slow) for m in ('linear_probe', 'language')]
MODES = pytest.mark.parametrize('mode', ['prompt', *_slow])
# All that may act in frozen parts, and weights that are averaged.
OPTIONS = (
    *('model.backbone.drop_path_rate=0.5', 'model.neck.drop_prob=0.5'),
    *('default_hooks.checkpoint.interval=1', 'optim_wrapper.optimizer.lr=0.5'),
)


@pytest.fixture(scope='module')
def base(tiny):
    """Weights that the trainings start from, and the config that says so."""
    cfg = Config.fromfile(tiny / 'tiny.py')
    torch.manual_seed(0)
    path = tiny / 'base.safetensors'
    save_state_dict(build_model(cfg).state_dict(), path)
    with (tiny / 'tiny.py').open('a') as file:
        file.write(f'load_from = {str(path)!r}\n')
        file.write("custom_hooks = [dict(type='EMAHook', momentum=0.1)]\n")
    return path


@pytest.fixture(scope='module')
def trained(tiny, base, train_tool):
    """Run a mode for two epochs."""
    folders = {}

    def train(mode):
        if mode not in folders:
            folders[mode] = tiny / f'run_{mode}'
            arguments = [
                str(tiny / 'tiny.py'),
                *('--work-dir', str(folders[mode]), '--tuning', mode),
                *('--cfg-options', 'train_cfg.max_epochs=2', *OPTIONS),
            ]
            assert train_tool(arguments) == 0
        return folders[mode]

    return train


def log_of(folder, key):
    lines = next(folder.glob('*/vis_data/scalars.json')).read_text().splitlines()
    return [value[key] for value in map(json.loads, lines) if key in value]


@MODES
def test_only_what_is_tuned_changes_and_only_that_is_stored(mode, trained, base):
    folder = trained(mode)
    for file in folder.glob('*.pth'):
        stored = torch.load(file, weights_only=False)
        kept = {*stored['state_dict'], *stored.get('ema_state_dict', ())} - {'steps'}
        assert kept
        assert all(is_tuned(name.removeprefix('module.'), mode) for name in kept)
        whole = load_state_dict(file)  # the rest comes from where it started
        start = load_state_dict(base)
        changed = {
            name
            for name, tensor in whole.items()
            if name not in start or not torch.equal(tensor, start[name])
        }
        assert changed
        assert all(is_tuned(name, mode) for name in changed)
        assert set(whole) - set(start) <= {PROMPT_KEY}
    optimizer = torch.load(folder / 'epoch_2.pth', weights_only=False)['optimizer']
    numbers = [n for group in optimizer['param_groups'] for n in group['params']]
    parameters = build_model(Config.fromfile(folder / 'tiny.py'))
    assert len(numbers) == sum(p.requires_grad for p in parameters.parameters())
    metadata = tuned_metadata(folder / f'{mode}.safetensors')
    assert (metadata['tuning'], metadata['model']) == (mode, 'tiny')


@MODES
def test_what_was_tuned_gives_what_its_checkpoint_gives(
    mode, trained, tiny, base, test_tool
):
    folder = trained(mode)
    config = str(tiny / 'tiny.py')
    best = next(folder.glob('best_*.pth'))
    tuned = str(folder / f'{mode}.safetensors')
    picture = str(tiny / 'valid' / '0.png')
    words = ['red', 'green', 'blue']
    ours = load(config, base, 'cpu', prompt=tuned)(picture, words, threshold=0.0)
    theirs = load(config, best, 'cpu')(picture, words, threshold=0.0)
    plain = load(config, base, 'cpu')(picture, words, threshold=0.0)
    assert (ours.scores == theirs.scores).all() and (ours.boxes == theirs.boxes).all()
    assert (ours.scores != plain.scores).any()
    values = []
    for weights in ([str(base), '--prompt', tuned], [str(best)]):
        out = tiny / f'test_{mode}_{len(weights)}'
        assert test_tool([config, *weights, '--work-dir', str(out)]) == 0
        values.append(json.loads(next(out.glob('*/*.json')).read_text()))
    first, second = ({k: v for k, v in each.items() if 'coco' in k} for each in values)
    assert first == second and first


def test_the_words_of_the_test_data_have_to_be_those_of_the_prompt(
    trained, tiny, base, test_tool, capsys
):
    tuned = str(trained('prompt') / 'prompt.safetensors')
    arguments = [str(tiny / 'tiny.py'), str(base), '--work-dir', str(tiny / 'other')]
    options = ['--cfg-options', 'custom_data.classes=[blue,red]']
    assert test_tool([*arguments, '--prompt', tuned, *options]) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert 'red. green. blue' in errors[-1] and 'blue. red' in errors[-1]


def test_a_training_goes_on_as_if_it_had_not_stopped(trained, tiny, train_tool):
    folder, again = trained('prompt'), tiny / 'resumed'
    arguments = [
        str(tiny / 'tiny.py'),
        *('--work-dir', str(again), '--tuning', 'prompt'),
        *('--resume', str(folder / 'epoch_1.pth')),
        *('--cfg-options', 'train_cfg.max_epochs=2', *OPTIONS),
    ]
    assert train_tool(arguments) == 0
    assert log_of(again, 'loss') == log_of(folder, 'loss')[2:]
    ours, theirs = (
        torch.load(place / 'epoch_2.pth', weights_only=False)
        for place in (again, folder)
    )
    for part in ('state_dict', 'ema_state_dict'):
        assert ours[part].keys() == theirs[part].keys()
        for name, tensor in theirs[part].items():
            assert torch.equal(ours[part][name], tensor), name
    assert ours['meta']['tuned'] == theirs['meta']['tuned']


@pytest.mark.slow
def test_one_tuning_starts_from_another(trained, tiny, base, train_tool):
    first = next(trained('linear_probe').glob('best_*.pth'))
    folder = tiny / 'run_second'
    arguments = [str(tiny / 'tiny.py'), '--work-dir', str(folder), '--tuning', 'prompt']
    assert train_tool([*arguments, '--cfg-options', f'load_from={first}']) == 0
    before, after = load_state_dict(first), load_state_dict(folder / 'epoch_1.pth')
    start = load_state_dict(base)
    for name, tensor in before.items():
        assert torch.equal(after[name], tensor), name
    assert any(not torch.equal(before[name], start[name]) for name in start)
    assert after[PROMPT_KEY].any()
    stored = torch.load(folder / 'epoch_1.pth', weights_only=False)
    assert [*stored['state_dict']] == [PROMPT_KEY]


def test_checkpoints_of_a_start_that_changed_are_refused(trained, base, tmp_path):
    checkpoint = torch.load(trained('prompt') / 'epoch_2.pth', weights_only=False)
    state = load_state_dict(base)
    state['bbox_head.head.bias0'] = state['bbox_head.head.bias0'] + 1
    save_state_dict(state, tmp_path / 'other.safetensors')
    for start in ('other.safetensors', 'gone.safetensors', 'epoch_2.pth'):
        checkpoint['meta']['tuned']['base'] = str(tmp_path / start)
        torch.save(checkpoint, tmp_path / 'epoch_2.pth')
        with pytest.raises(CheckpointError, match='weights it started from'):
            load_state_dict(tmp_path / 'epoch_2.pth')


def test_a_prompt_cannot_be_tuned_for_words_that_differ(tiny, base, train_tool, capsys):
    data = json.loads((tiny / 'train' / 'annotations.json').read_text())
    data['categories'].reverse()
    (tiny / 'train' / 'reversed.json').write_text(json.dumps(data))
    files = ['train/annotations.json', 'train/reversed.json']
    (tiny / 'two_lists.py').write_text(
        f"_base_ = 'tiny.py'\ncustom_data = dict(train={files})\n"
    )
    arguments = [str(tiny / 'two_lists.py'), '--work-dir', str(tiny / 'two_lists')]
    code = train_tool([*arguments, '--tuning', 'prompt'])
    assert code == 1
    assert 'differ' in capsys.readouterr().err.strip().splitlines()[-1]


def test_without_an_evaluation_the_last_checkpoint_counts(tiny, base, train_tool):
    (tiny / 'no_val.py').write_text(
        "_base_ = 'tiny.py'\ncustom_data = dict(val=None, test=None)\n"
        'custom_hooks = []\ndefault_hooks = dict(checkpoint=dict(interval=1))\n'
    )
    folder = tiny / 'run_no_val'
    arguments = [str(tiny / 'no_val.py'), '--work-dir', str(folder)]
    assert train_tool([*arguments, '--tuning', 'prompt']) == 0
    last = torch.load(folder / 'epoch_1.pth', weights_only=False)['state_dict']
    rows = load_file(folder / 'prompt.safetensors')[PROMPT_KEY]
    assert rows.any() and torch.equal(rows, last[PROMPT_KEY][: len(rows)])
    assert not last[PROMPT_KEY][len(rows) :].any()
    text = json.loads(tuned_metadata(folder / 'prompt.safetensors')['text'])
    assert text['caption'] == 'red. green. blue'


def test_features_are_kept_in_the_folder_that_is_named(tiny, base, train_tool):
    folder = tiny / 'run_kept'
    arguments = [str(tiny / 'tiny.py'), '--work-dir', str(folder)]
    features = tiny / 'features'
    more = ['--tuning', 'prompt', '--cache-features', str(features)]
    assert train_tool([*arguments, *more]) == 0
    files = {file: file.stat().st_mtime_ns for file in features.rglob('*.safetensors')}
    assert len(files) == 4  # two of them are evaluated as well
    losses = log_of(folder, 'loss')
    again = tiny / 'run_kept_again'
    assert train_tool([arguments[0], '--work-dir', str(again), *more]) == 0
    assert log_of(again, 'loss') == losses
    assert files == {f: f.stat().st_mtime_ns for f in features.rglob('*.safetensors')}
