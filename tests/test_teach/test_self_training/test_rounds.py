"""Who teaches whom, and what an interruption costs; models are stand-ins."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from glip.errors import ConfigError
from glip.runtime.lock import only_run
from glip.teach.pseudo_labels import Labels
from glip.teach.self_training import rounds, self_train


class Machinery:
    """Training, labelling and evaluation that take no time.

    A model's result is looked up by its stage; ``calls`` counts what was finished.
    """

    def __init__(self, monkeypatch):
        self.results = {}
        self.calls = Counter()
        self.labelled = []
        self.seeds = {}
        self.stop_at = None
        self.number = 0
        monkeypatch.setattr(rounds, 'run_training', self.train)
        monkeypatch.setattr(rounds, 'run_test', self.test)
        monkeypatch.setattr(rounds, 'label', self.label)
        monkeypatch.setattr(rounds, 'draw_rounds', self.draw)
        monkeypatch.setattr(rounds, 'release_memory', lambda: None)

    def _work(self, name):
        self.number += 1
        if self.number == self.stop_at:
            raise KeyboardInterrupt
        self.calls[name] += 1

    def train(self, cfg):
        folder = Path(cfg.work_dir)
        self._work(f'train {self._stage(folder)}')
        self.seeds[self._stage(folder)] = cfg.randomness.seed
        folder.mkdir(parents=True, exist_ok=True)
        torch.save({}, folder / 'iter_1.pth')

    def test(self, cfg):
        name = self._stage(Path(cfg.load_from).parent)
        self._work(f'test {name}')
        return {'flickr30k/R@1': self.results[name], 'flickr30k/R@5': 50.0}

    def label(self, config, weights, captions, out, **options):
        teacher = self._stage(Path(weights).parent)
        self._work(f'label {teacher}')
        self.labelled.append((teacher, options['screens'].score_thr))
        counts = dict(pictures=7, phrases=20, boxes=30)
        return Labels(f'{out}/labels.jsonl', str(out), None, counts)

    def draw(self, done, folder, metric):
        self.drawn = [entry.results[metric] for entry in done]

    def _stage(self, folder):
        return '/'.join(folder.parts[len(self.folder.parts) :])


@pytest.fixture
def machinery(monkeypatch, tmp_path):
    machinery = Machinery(monkeypatch)
    machinery.folder = tmp_path / 'work'
    machinery.results = {
        'base': 60.0,
        'round_1/student': 62.0,
        'round_2/student': 61.0,
        'round_3/student': 63.0,
    }
    return machinery


@pytest.fixture
def cfg(tmp_path):
    captions = tmp_path / 'captions.jsonl'
    captions.write_text('')
    human = dict(type='CocoDataset', ann_file='annotations.json')
    return Config(
        dict(
            model=dict(type='GLIP'),
            work_dir=str(tmp_path / 'work'),
            randomness=dict(seed=5),
            train_pipeline=[dict(type='PackDetInputs')],
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=1),
            train_dataloader=dict(batch_size=1, dataset=human),
            test_dataloader=dict(batch_size=1, dataset=human),
            self_training=dict(captions=str(captions), rounds=3, score_thr=0.4),
        )
    )


def won(done):
    return [entry.won for entry in done]


def teachers(done):
    return [entry.teacher for entry in done]


def test_a_student_that_wins_teaches_next_and_a_loser_does_not(machinery, cfg):
    done = self_train(cfg)
    assert won(done) == [None, True, False, True]
    assert teachers(done) == [None, 'base', 'student 1', 'student 1']
    # After the loser the teacher is the same, and so are its labels.
    assert machinery.labelled == [('base', 0.4), ('round_1/student', 0.4)]
    assert machinery.seeds == {
        'base': 5,
        'round_1/student': 5,
        'round_2/student': 6,
        'round_3/student': 7,
    }


def test_a_student_that_is_as_good_has_not_won(machinery, cfg):
    machinery.results['round_1/student'] = 60.0
    cfg.self_training.rounds = 1
    assert won(self_train(cfg)) == [None, False]


def test_the_end_has_tables_and_a_curve(machinery, cfg):
    self_train(cfg)
    content = json.loads((machinery.folder / 'rounds.json').read_text())
    assert content['metric'] == 'flickr30k/R@1'
    assert content['best'].endswith('round_3/student/iter_1.pth')
    results = [entry['results']['flickr30k/R@1'] for entry in content['rounds']]
    assert results == [60.0, 62.0, 61.0, 63.0]
    assert len((machinery.folder / 'rounds.csv').read_text().splitlines()) == 5
    assert machinery.drawn == results


# Three rounds are 1 + 3 trainings, 4 evaluations and 2 labellings.
@pytest.mark.parametrize('stop_at', range(1, 11))
def test_a_later_call_goes_on_at_the_stage_that_was_stopped(machinery, cfg, stop_at):
    machinery.stop_at = stop_at
    with pytest.raises(KeyboardInterrupt):
        self_train(cfg)
    done = self_train(cfg)
    assert won(done) == [None, True, False, True]
    assert machinery.calls.total() == 10 and set(machinery.calls.values()) == {1}


def test_more_rounds_go_on_from_those_that_are_done(machinery, cfg):
    cfg.self_training.rounds = 1
    self_train(cfg)
    cfg.self_training.rounds = 2
    assert won(self_train(cfg)) == [None, True, False]
    assert set(machinery.calls.values()) == {1}


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        ({'self_training.score_thr': 0.5}, 'screens'),
        ({'self_training.share': 0.5}, 'share'),
        ({'train_cfg.max_iters': 2}, 'train_cfg'),
    ],
)
def test_another_config_in_the_same_folder_is_refused(machinery, cfg, change, named):
    self_train(cfg)
    cfg.merge_from_dict(change)
    with pytest.raises(ConfigError, match=named):
        self_train(cfg)


def test_a_second_run_in_the_folder_has_to_wait(machinery, cfg):
    machinery.folder.mkdir()
    with only_run(machinery.folder, 'self-training'):
        with pytest.raises(ConfigError, match='another self-training'):
            self_train(cfg)
    assert won(self_train(cfg)) == [None, True, False, True]


def test_weights_that_are_given_teach_first(machinery, cfg, tmp_path):
    weights = machinery.folder / 'given' / 'weights.pth'
    machinery.results['given'] = 62.5
    cfg.self_training.update(teacher=str(weights), rounds=1)
    done = self_train(cfg)
    assert won(done) == [None, False]
    assert teachers(done) == [None, 'teacher']
    assert 'train base' not in machinery.calls


def test_a_metric_that_no_result_has_is_named(machinery, cfg):
    cfg.self_training.metric = 'coco/bbox_mAP'
    with pytest.raises(ConfigError, match='coco/bbox_mAP.*flickr30k/R@1'):
        self_train(cfg)
    # What was done until then is good for the config that is put right.
    cfg.self_training.metric = 'flickr30k/R@1'
    assert won(self_train(cfg)) == [None, True, False, True]
    assert set(machinery.calls.values()) == {1}


def test_the_named_metric_decides(machinery, cfg):
    cfg.self_training.update(metric='flickr30k/R@5', rounds=1)
    assert won(self_train(cfg)) == [None, False]


@pytest.mark.parametrize('missing', ['train_dataloader', 'test_dataloader'])
def test_what_a_config_lacks_is_named_before_the_work(machinery, cfg, missing):
    cfg.pop(missing)
    with pytest.raises(ConfigError, match=missing):
        self_train(cfg)
    assert not machinery.calls
