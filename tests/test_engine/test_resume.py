"""A training that is killed goes on as if nothing had happened, to the last digit."""

import json
import signal

import coco_folder
import interrupted_run
import pytest


def run(pictures, work_dir, loop, workers, *, death=None, seed=None):
    work_dir.mkdir(exist_ok=True)
    said = work_dir / 'said.txt'
    code = interrupted_run.start(
        *(str(pictures), str(work_dir), loop, workers),
        death=death,
        seed=seed,
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
