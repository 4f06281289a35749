"""The key ``self_training`` of a config."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from mmengine.config import Config

from glip.config.custom_sets import check_keys
from glip.errors import ConfigError
from glip.teach.pseudo_labels import Screens

_SCREENS = tuple(entry.name for entry in fields(Screens))


@dataclass(frozen=True, kw_only=True)
class SelfTraining:
    """What ``self_training = dict(...)`` of a config may say.

    Attributes:
        captions: What the teachers label, see
            :func:`glip.teach.pseudo_labels.label`.
        data_root: Folder that the names of its pictures start from.
        rounds: Number of students.
        teacher: Weights of the first teacher: a file, an address or a zoo name. None
            trains the config on its own data first.
        teacher_config: Config of the first teacher, where it is another model; by
            default that of the zoo name, or this one.
        start: ``'config'`` lets every student start as the config says,
            ``'teacher'`` from the weights of its teacher.
        share: Share of generated samples in what a student sees, above 0 and below 1;
            it sees as many samples as the config would without them. None puts them
            behind the human data, whose epochs get longer.
        dataset: Arguments of the data set of generated records: its ``pipeline``
            (``train_pipeline`` of the config by default), ``min_score`` and so on.
        labels: Further arguments of :func:`glip.teach.pseudo_labels.label`.
        screens: Limits that generated boxes have to pass.
        metric: Name of the result that says who is better; more is better. By default
            the first one.
        tests: Name -> config whose test data students are evaluated on, with the name
            before its results. None takes the test data of this config.
    """

    captions: str | Sequence[str]
    data_root: str | None = None
    rounds: int = 1
    teacher: str | None = None
    teacher_config: str | None = None
    start: str = 'config'
    share: float | None = None
    dataset: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, Any] = field(default_factory=dict)
    screens: Screens = field(default_factory=Screens)
    metric: str | None = None
    tests: Mapping[str, str] | None = None

    @classmethod
    def of(cls, cfg: Config) -> SelfTraining:
        """The settings of a config; screens stand beside the other keys.

        Raises:
            ConfigError: A key is missing or unknown, or a value has no meaning.
        """
        where = cfg.filename or 'the config'
        given = cfg.get('self_training')
        if not isinstance(given, Mapping):
            raise ConfigError(
                f'{where} has no self_training=dict(captions=..., ...): what a teacher '
                'shall label'
            )
        given = dict(given)
        known = {entry.name for entry in fields(cls)} - {'screens'}
        check_keys(given, known | set(_SCREENS), 'self_training')
        if not given.get('captions'):
            raise ConfigError(f'{where}: self_training.captions is missing')
        screens = {key: given.pop(key) for key in _SCREENS if key in given}
        settings = cls(**given, screens=Screens(**screens))
        settings._check()
        return settings

    def _check(self) -> None:
        """Refuse values without meaning, before hours of training."""
        if not _is_whole(self.rounds) or self.rounds < 1:
            raise ConfigError(
                f'self_training.rounds must be a whole number from 1 on, not '
                f'{self.rounds!r}'
            )
        if self.share is not None and not (
            isinstance(self.share, (int, float)) and 0 < self.share < 1
        ):
            raise ConfigError(
                f'self_training.share must be above 0 and below 1, not {self.share!r}'
            )
        if self.start not in ('config', 'teacher'):
            raise ConfigError(
                f"self_training.start must be 'config' or 'teacher', not {self.start!r}"
            )
        if self.start == 'teacher' and self.teacher_config is not None:
            raise ConfigError(
                'self_training: a student cannot start from the weights of a teacher '
                'with another config; leave start or teacher_config out'
            )
        if self.teacher_config is not None and self.teacher is None:
            raise ConfigError(
                'self_training.teacher_config needs self_training.teacher, its weights'
            )
        for key in ('dataset', 'labels', 'tests'):
            value = getattr(self, key)
            if not isinstance(value, Mapping) and not (
                key == 'tests' and value is None
            ):
                raise ConfigError(
                    f'self_training.{key} must be a dict, not {value!r:.60}'
                )
        missing = [name for name in _local(self.captions) if not _is_there(name)]
        if missing:
            raise ConfigError(
                f'self_training.captions: {os.path.abspath(missing[0])} is not there'
            )
        if self.data_root is not None and not os.path.isdir(self.data_root):
            raise ConfigError(
                f'self_training.data_root: {os.path.abspath(self.data_root)} is no '
                'folder'
            )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _local(captions: str | Sequence[str]) -> list[str]:
    """Names that are no addresses."""
    names = [captions] if isinstance(captions, str) else list(captions)
    return [name for name in names if '://' not in name]


def _is_there(name: str) -> bool:
    """Whether a file, a folder, or one that a pattern stands for exists."""
    if '{' in name:  # a range; which of it exists is seen when it is read
        return True
    return os.path.exists(name) or bool(glob.glob(name, recursive=True))
