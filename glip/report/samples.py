"""The samples of a config, to be looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch.utils.data import IterableDataset

from glip.datasets.seeding import derived_seed, drawn_with
from glip.errors import ConfigError, DatasetError, GLIPError, one_line
from glip.evaluation.offline import build_dataset
from glip.report.tap import Leaf, Seen, below_mixing, leaves
from glip.text import Tokenizer, parse_text
from glip.visualization.scene import Scene

_STREAMED = 100  # samples of a stream where nobody says how many
MODES = ('transformed', 'original', 'pipeline')


class SampleBrowser:
    """Draws samples of a config's data set and says what the model would see.

    Args:
        cfg: Config; ``custom_data`` is put in place in it.
        split: Whose data loader: ``train``, ``val`` or ``test``.
        mode: ``transformed`` shows what comes out of the pipeline, ``original`` what
            is annotated, ``pipeline`` every step between.
        seed: Of the draws; a sample depends on it and on its number alone.

    Attributes:
        dataset: What the data loader would read from.
        leaves: The data sets in it that read files.
        is_stream: Whether it has no length and no numbers.

    Raises:
        ConfigError: There is no such data loader, or it cannot be built.
        DatasetError: The data is not usable.
    """

    def __init__(
        self,
        cfg: Config,
        *,
        split: str = 'train',
        mode: str = 'transformed',
        seed: int = 0,
    ) -> None:
        self.seed = seed
        self.dataset = build_dataset(cfg, split)
        if mode == 'original':  # a mixture of pictures is annotated nowhere
            self.dataset = below_mixing(self.dataset)
        self.leaves: list[Leaf] = list(leaves(self.dataset))
        for leaf in self.leaves:
            leaf.tap(mode)
        self._budget = None
        if split == 'train' and mode != 'original':
            self._budget = _Budget.of(cfg)
        self.is_stream = isinstance(self.dataset, IterableDataset)
        if not self.is_stream and not len(self.dataset):
            raise DatasetError(
                f'{cfg.filename or "the config"}: the data set of '
                f'{split}_dataloader has no samples'
            )

    def choose(
        self, number: int | None = None, which: Sequence[int] | None = None
    ) -> Sequence[int]:
        """Numbers of samples, spread evenly over the data set.

        Args:
            number: How many at most; all by default, or 100 of a stream.
            which: The numbers themselves, instead.

        Raises:
            ConfigError: Samples of a stream have no numbers.
        """
        if self.is_stream:
            if which is not None:
                raise ConfigError('samples of a stream have no numbers to choose by')
            return range(_STREAMED if number is None else number)
        if which is not None:
            return which
        total = len(self.dataset)
        wanted = total if number is None else min(number, total)
        return [i * total // wanted for i in range(wanted)]

    def samples(self, which: Sequence[int]) -> Iterator[Seen]:
        """Draw samples one after the other.

        Args:
            which: Their numbers; of a stream, only how many they are matters.

        Raises:
            DatasetError: There is no sample of a number, or the data cannot be used.
        """
        with DefaultScope.overwrite_default_scope('glip'):
            if self.is_stream:
                with drawn_with(derived_seed(self.seed)):
                    for index, data in enumerate(islice(self.dataset, len(which))):
                        yield self._shown(index, data)
                return
            total = len(self.dataset)
            for index in which:
                if not 0 <= index < total:
                    raise DatasetError(
                        f'there is no sample {index}: the data set has {total}, '
                        'counted from 0'
                    )
                with drawn_with(derived_seed(self.seed, index)):
                    data = self.dataset[index]
                yield self._shown(index, data)

    def _shown(self, index: int, data: Any) -> Seen:
        seen = data
        if not isinstance(data, Seen):
            inclusive = any(leaf.is_inclusive for leaf in leaves(self.dataset))
            seen = Seen(data, names=self.leaves[0].names, is_inclusive=inclusive)
        seen.index = index
        try:
            if seen.reason is None:
                seen.finish()
                self._describe(seen)
        except GLIPError as error:
            seen.reason = one_line(error)
        if seen.reason is not None:
            seen.parts = []
        return seen

    def _describe(self, seen: Seen) -> None:
        """Note facts about a sample, and how many of its boxes lack room for words."""
        scene = seen.scene
        ignored = int(scene.ignored.sum())
        facts = [
            '{} x {} pixels'.format(*scene.size),
            counted(len(scene.boxes) - ignored, 'box', 'boxes'),
        ]
        if ignored:
            facts.append(f'{ignored} to ignore')
        seen.num_cut = int(seen.get('num_boxes_cut') or 0)
        has_text = seen.get('text') is not None
        if self._budget is not None and has_text:
            budget, lost = self._budget.measure(seen.prompt, scene)
            facts.append(budget)
            seen.num_cut += lost
        seen.notes.append(', '.join(facts))
        if seen.num_cut:
            seen.notes.append(
                f'{counted(seen.num_cut, "box", "boxes")} without room in the caption '
                'for words: not trained'
            )
        if not has_text:
            seen.notes.append(
                'no text comes with it, so no model can be asked for anything'
            )


def counted(number: int, one: str, many: str) -> str:
    """A number of things."""
    return f'{number} {one if number == 1 else many}'


@dataclass(frozen=True)
class _Budget:
    """How many tokens the model of a config reads."""

    tokenizer: Tokenizer
    max_tokens: int

    @classmethod
    def of(cls, cfg: Config) -> _Budget | None:
        language = (cfg.get('model') or {}).get('language_model') or {}
        if 'name' not in language:
            return None
        try:
            tokenizer = Tokenizer(language['name'])
        except GLIPError:  # its files are missing, which is for training to say
            return None
        return cls(tokenizer, language.get('max_tokens', 256))

    def measure(self, prompt: dict[str, Any], scene: Scene) -> tuple[str, int]:
        """Tokens of a prompt in words, and how many boxes have none within budget."""
        words = parse_text(prompt.pop('text'), **prompt)
        encoded = self.tokenizer.encode(words, self.max_tokens, truncate=True)
        tokens = words.by_label(encoded.entity_tokens)
        lost = sum(not tokens[label] for label in scene.labels[~scene.ignored].tolist())
        return f'{len(encoded.input_ids)} of {self.max_tokens} tokens', lost


def relative(path: str) -> str:
    """A path as short as it can be said from here."""
    if not os.path.isabs(path):
        return path
    near = os.path.relpath(path)
    return path if near.startswith(os.pardir) else near
