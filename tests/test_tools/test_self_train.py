"""Self-training by the command line, end to end, with a model that knows nothing."""

import json

import pytest

from glip.teach.self_training import rounds

CAPTIONS = ('a red thing beside a green thing', 'a green thing', 'a blue thing')


@pytest.fixture
def config(tiny, tmp_path):
    """Two rounds on four pictures with boxes, three of which also have captions."""
    captions = tmp_path / 'captions.jsonl'
    lines = [dict(image=f'{i}.png', caption=c) for i, c in enumerate(CAPTIONS)]
    captions.write_text('\n'.join(map(json.dumps, lines)))
    file = tmp_path / 'rounds.py'
    file.write_text(
        f"""
_base_ = {str(tiny / 'tiny.py')!r}
self_training = dict(
    captions={str(captions)!r},
    data_root={str(tiny / 'train')!r},
    score_thr=0.0,
    min_size=0,
    max_per_phrase=2,
    share=0.5,
    metric='coco/bbox_mAP',
)
default_hooks = dict(checkpoint=dict(save_best=None), visualization=None, curves=None)
"""
    )
    return file


def stages(folder):
    content = json.loads((folder / 'stages.json').read_text())
    return {name: stage['result'] for name, stage in content.items()}


def test_rounds_from_the_first_training_to_the_table(
    config, self_train_tool, tmp_path, capfd
):
    work_dir = tmp_path / 'work'
    arguments = [str(config), '--work-dir', str(work_dir)]
    assert self_train_tool(arguments) == 0
    assert list(stages(work_dir)) == [
        *('base', 'base/test'),
        *('round_1/labels', 'round_1/student', 'round_1/test'),
    ]
    student = stages(work_dir)['round_1/student']
    assert student.startswith(str(work_dir / 'round_1' / 'student'))
    content = json.loads((work_dir / 'rounds.json').read_text())
    first, second = content['rounds']
    assert (first['teacher'], second['teacher']) == (None, 'base')
    assert second['labels']['pictures'] == len(CAPTIONS)
    assert (work_dir / 'rounds.png').is_file()
    # Again, and with a round more: what is done is not done again.
    written = (work_dir / 'round_1' / 'student' / 'epoch_1.pth').stat().st_mtime_ns
    assert self_train_tool(arguments) == 0
    again = (work_dir / 'round_1' / 'student' / 'epoch_1.pth').stat().st_mtime_ns
    assert again == written
    capfd.readouterr()
    more = ['--cfg-options', 'self_training.share=0.25']
    assert self_train_tool([*arguments, *more]) == 1
    message = capfd.readouterr().err.splitlines()[-1]
    assert message.startswith('error: ') and 'share' in message


def test_a_student_that_was_trained_and_not_recorded_is_not_lost(
    config, self_train_tool, tmp_path, monkeypatch
):
    work_dir = tmp_path / 'work'
    train, folders = rounds.run_training, []

    def stopped(cfg):
        train(cfg)
        folders.append(cfg.work_dir)
        if len(folders) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(rounds, 'run_training', stopped)
    arguments = [str(config), '--work-dir', str(work_dir)]
    assert self_train_tool(arguments) == 130
    assert 'round_1/student' not in stages(work_dir)
    checkpoint = work_dir / 'round_1' / 'student' / 'epoch_1.pth'
    written = checkpoint.stat().st_mtime_ns
    assert self_train_tool(arguments) == 0
    assert checkpoint.stat().st_mtime_ns == written
    assert stages(work_dir)['round_1/student'] == str(checkpoint)


def test_a_config_without_self_training_is_one_line(tiny, self_train_tool, capfd):
    assert self_train_tool([str(tiny / 'tiny.py')]) == 1
    assert capfd.readouterr().err.startswith('error: ')
