"""A training that is killed goes on as if nothing had happened, to the last digit."""

import json
import signal

import coco_folder
import interrupted_run
import pytest

from glip.checkpoints import read_checkpoint


def run(pictures, work_dir, loop, workers, *, death=None, seed=None, validate=False):
    work_dir.mkdir(exist_ok=True)
    said = work_dir / 'said.txt'
    code = interrupted_run.start(
        *(str(pictures), str(work_dir), loop, workers),
        death=death,
        seed=seed,
        validate=validate,
        error_file=said,
    )
    expected = -signal.SIGKILL if death else 0
    assert code == expected, said.read_text()[-2000:]


def losses(work_dir):
    lines = (work_dir / 'losses.jsonl').read_text().splitlines()
    return [tuple(json.loads(line)) for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize(('loop', 'workers'), [('epoch', 2), ('iter', 0)])
def test_killed_in_an_epoch_and_in_a_save(loop, workers, tmp_path):
    pictures = tmp_path / 'pictures'
    coco_folder.write(pictures, num_images=8)
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    # Other workers draw the same samples.
    run(pictures, whole, loop, 2 - workers, seed=3)
    expected = losses(whole)
    assert [step for step, *_ in expected] == list(range(12))
    assert len({loss for *_, loss in expected}) == 12

    run(pictures, killed, loop, workers, seed=3, death='die-at:7')
    assert losses(killed) == expected[:7]
    # It takes over the seed, and dies while it writes the state after eight steps.
    run(pictures, killed, loop, workers, death='die-in-save:1')
    assert losses(killed)[7:] == expected[6:8]
    assert (killed / '.iter_8.pth.part').exists()
    run(pictures, killed, loop, workers)
    assert losses(killed)[9:] == expected[6:]
    assert [path.name for path in killed.glob('*.pth')] == ['iter_12.pth']


@pytest.mark.slow
@pytest.mark.parametrize('loop', ['epoch', 'iter'])
def test_killed_in_a_validation_and_while_it_keeps_the_best(loop, tmp_path):
    pictures = tmp_path / 'pictures'
    coco_folder.write(pictures, num_images=8)
    unit, names = loop, (2, 3) if loop == 'epoch' else (8, 12)
    files = {f'best_score_{unit}_{names[0]}.pth', f'{unit}_{names[1]}.pth'}
    whole = tmp_path / 'whole'
    run(pictures, whole, loop, 0, seed=3, validate=True)
    assert {path.name for path in whole.glob('*.pth')} == files
    best = read_checkpoint(whole / f'best_score_{unit}_{names[0]}.pth')['state_dict']
    # In the second validation, while it writes the best, and the last again.
    # Files are written in the order: last, best, last of the first, and so on.
    for death in ('die-in-val:2', 'die-in-save:5', 'die-in-save:6'):
        killed = tmp_path / death.replace(':', '_')
        run(pictures, killed, loop, 0, seed=3, validate=True, death=death)
        assert list(killed.glob('best_*.pth'))
        run(pictures, killed, loop, 0, validate=True)
        assert {path.name for path in killed.glob('*.pth')} == files
        assert not list(killed.glob('.*.part'))
        again = read_checkpoint(killed / f'best_score_{unit}_{names[0]}.pth')
        assert all(again['state_dict'][key].equal(best[key]) for key in best)
        assert losses(killed) == losses(whole)
