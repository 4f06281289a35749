"""Teacher, labels, student, evaluation: the student that wins teaches next."""

from __future__ import annotations

import copy
import functools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import print_log

from glip.checkpoints import zoo
from glip.checkpoints.latest import latest_checkpoint
from glip.config.custom_data import apply_custom_data
from glip.config.files import read_config
from glip.config.flags import set_test_options, set_training_options
from glip.config.launch import work_dir_of
from glip.config.names import config_of
from glip.engine.run import require_writable, run_test, run_training, start_processes
from glip.errors import ConfigError, TrainingError
from glip.report.rounds import Round, draw_rounds, write_rounds
from glip.runtime.allocator import release_memory
from glip.runtime.lock import only_run
from glip.teach.pseudo_labels import Labels, label
from glip.teach.self_training.mixing import student_config
from glip.teach.self_training.settings import SelfTraining
from glip.teach.self_training.stages import Stages

# What a later call may change: where and how it runs.
_FREE = (
    *('launcher', 'work_dir', 'log_level', 'vis_backends', 'visualizer'),
    *('env_cfg', 'default_hooks', 'log_processor', 'compile', 'resume'),
)


@dataclass(frozen=True)
class _Model:
    """Weights with the config that they belong to."""

    name: str
    cfg: Config
    weights: str


def self_train(cfg: Config, *, amp: bool | str = False) -> list[Round]:
    """Go through the rounds of ``cfg.self_training``; a later call goes on.

    Each round a teacher labels the captions; a student is trained on the config's own
    data and on the labels; both are compared on the test data. A student that wins is
    the next teacher, otherwise the teacher and its labels stay and the next student is
    trained with another seed. All is written below ``work_dir``: ``base``,
    ``round_<n>/{labels,student,test}``, and ``rounds.md``, ``rounds.csv``,
    ``rounds.json`` and ``rounds.png``. GLIP paper, section 3.3.

    Args:
        cfg: Config with ``self_training``, see :class:`SelfTraining`; not changed.
        amp: Precision of the trainings and of the labelling, see
            :func:`glip.config.flags.set_training_options`.

    Returns:
        The first teacher, and a student for each round.

    Raises:
        ConfigError: The config has no or no usable ``self_training``, or the work
            directory belongs to another config.
        GLIPError: What training, labelling and evaluation raise.
    """
    work = _Work(cfg, amp)
    start_processes(cfg)
    require_writable(str(work.folder))
    with only_run(work.folder, 'self-training'):
        return work.rounds()


class _Work:
    """The stages of one config."""

    def __init__(self, cfg: Config, amp: bool | str) -> None:
        self.settings = SelfTraining.of(cfg)
        missing = [key for key in ('train_dataloader', 'train_cfg') if not cfg.get(key)]
        if missing:
            raise ConfigError(
                f'{cfg.filename or "the config"} cannot train: it has no '
                f'{", ".join(missing)}'
            )
        self.amp = amp
        self.folder = Path(work_dir_of(cfg))
        self.cfg = copy.deepcopy(cfg)
        self.cfg.pop('self_training')
        apply_custom_data(self.cfg)  # so that the human data is there to mix with
        self.tests = {
            name: read_config(path)
            for name, path in (self.settings.tests or {}).items()
        }
        for name, test in (self.tests or {'': self.cfg}).items():
            if not test.get('test_dataloader'):
                raise ConfigError(
                    f'{test.filename or "the config"} has no test_dataloader to '
                    f'evaluate students on{f" ({name})" if name else ""}'
                )
        # What a training depends on; a stage adds what it depends on besides.
        self.about = {k: v for k, v in self.cfg.to_dict().items() if k not in _FREE}
        self.about['amp'] = amp

    def rounds(self) -> list[Round]:
        """Every student in turn, from the stages that are done on."""
        self.stages = Stages(self.folder)
        teacher = self.first_teacher()
        rounds = [Round(0, None, self.test(teacher))]
        metric = _metric(self.settings, rounds[0].results)
        best, known = rounds[0].results[metric], {}
        for number in range(1, self.settings.rounds + 1):
            if teacher.weights not in known:
                known[teacher.weights] = self.labels(number, teacher)
            labels = known[teacher.weights]
            student = self.student(number, teacher, labels)
            results = self.test(student)
            won = results[metric] > best
            rounds.append(Round(number, teacher.name, results, won, labels.summary))
            print_log(
                f'round {number}: {metric} {results[metric]:.4g} of the student, '
                f'{best:.4g} of the teacher ({teacher.name}): '
                f'{"the student teaches next" if won else "the teacher stays"}',
                'current',
            )
            if won:
                teacher, best = student, results[metric]
            if is_main_process():
                write_rounds(rounds, self.folder, metric, best=teacher.weights)
        if is_main_process():
            draw_rounds(rounds, self.folder, metric)
        return rounds

    def first_teacher(self) -> _Model:
        """The weights that the config names, or those of a training without labels."""
        given = self.settings.teacher
        if given is None:
            weights = self._trained('base', self.cfg, self.about)
            return _Model('base', self.cfg, weights)
        cfg = self.cfg
        if self.settings.teacher_config is not None:
            cfg = read_config(config_of(self.settings.teacher_config))
        elif zoo.find(given) is not None and not Path(given).is_file():
            cfg = read_config(config_of(given))
        return _Model('teacher', cfg, given)

    def labels(self, number: int, teacher: _Model) -> Labels:
        """What a teacher writes for the captions."""
        name = f'round_{number}/labels'
        settings = self.settings

        def work() -> dict[str, Any]:
            labels = label(
                teacher.cfg,
                teacher.weights,
                settings.captions,
                self.folder / name,
                data_root=settings.data_root,
                screens=settings.screens,
                **({'amp': self.amp} | settings.labels),
            )
            release_memory()
            return asdict(labels)

        about = {
            key: getattr(settings, key) for key in ('captions', 'data_root', 'labels')
        }
        about |= {'screens': asdict(settings.screens), 'teacher': teacher.weights}
        return Labels(**self.stages.run(name, work, about))

    def student(self, number: int, teacher: _Model, labels: Labels) -> _Model:
        """A model trained on the config's own data and on labels."""
        cfg = student_config(self.cfg, labels, self.settings)
        if self.settings.start == 'teacher':
            cfg.load_from = teacher.weights
        seed = (cfg.get('randomness') or {}).get('seed')
        if seed is not None:
            # With the labels of the round before it would be the same student again.
            cfg.randomness.seed = seed + number - 1
        about = self.about | {
            key: getattr(self.settings, key) for key in ('share', 'dataset', 'start')
        }
        about |= {'teacher': teacher.weights, 'records': labels.records}
        weights = self._trained(f'round_{number}/student', cfg, about)
        return _Model(f'student {number}', self.cfg, weights)

    def test(self, model: _Model) -> dict[str, float]:
        """Results on all test data, by name."""
        name = model.name.replace('student ', 'round_')
        results = {}
        for prefix, test in (self.tests or {'': self.cfg}).items():
            stage = f'{name}/test{f"_{prefix}" if prefix else ""}'
            evaluate = functools.partial(self._evaluated, stage, test, model)
            about = {'weights': model.weights, 'test_data': test.test_dataloader}
            values = self.stages.run(stage, evaluate, about)
            results |= {f'{prefix}/{k}' if prefix else k: v for k, v in values.items()}
        return results

    def _trained(self, stage: str, cfg: Config, about: dict[str, Any]) -> str:
        """Last weights of a training, which goes on if it was interrupted."""

        def work() -> str:
            run = self._prepared(stage, cfg)
            set_training_options(run, amp=self.amp, resume='auto')
            run_training(run)
            release_memory()
            weights = latest_checkpoint(run.work_dir)
            if weights is None:
                raise TrainingError(
                    f'{run.work_dir} has no checkpoint after the training: let '
                    'default_hooks.checkpoint write one at the end'
                )
            return str(weights)

        return self.stages.run(stage, work, about)

    def _evaluated(self, stage: str, cfg: Config, model: _Model) -> dict[str, float]:
        run = self._prepared(stage, cfg)
        run.model = copy.deepcopy(model.cfg.model)
        plain = (run.get('test_cfg') or {}).get('type', 'TestLoop') == 'TestLoop'
        set_test_options(run, model.weights, resume=plain)
        results = {key: float(value) for key, value in run_test(run).items()}
        release_memory()
        return results

    def _prepared(self, stage: str, cfg: Config) -> Config:
        """The config of one stage, with a folder and a name of its own."""
        run = copy.deepcopy(cfg)
        run.work_dir = str(self.folder / stage)
        run.launcher = self.cfg.get('launcher', 'none')
        # mmengine keeps what belongs to a run by this name.
        run.experiment_name = f'{self.folder.name}_{stage.replace("/", "_")}'
        return run


def _metric(settings: SelfTraining, results: dict[str, float]) -> str:
    """The result that decides."""
    metric = settings.metric or next(iter(results), None)
    if metric not in results:
        raise ConfigError(
            f'self_training.metric {metric!r} is none of the results: '
            f'{", ".join(results) or "there are none"}'
        )
    return metric
