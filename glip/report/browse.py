"""Samples of a config as an HTML page or as image files, with counts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from glip.errors import DatasetError
from glip.report.page import PageWriter
from glip.report.samples import SampleBrowser, counted, relative
from glip.report.tap import Seen
from glip.runtime.progress import track
from glip.runtime.writing import make_folder, safe_name, write_picture
from glip.visualization.picture import render, stack

FORMATS = ('html', 'images')

_REASONS = 5  # lines that the summary spends on what is skipped
_QUALITY = 92

Show = Callable[[Image.Image, str], None]


@dataclass
class _Counts:
    boxes: list[int] = field(default_factory=list)  # of each sample
    ignored: int = 0
    asked: int = 0  # phrases and classes
    num_with_boxes: int = 0  # of these
    cut: int = 0  # boxes whose words have no room in the caption
    skipped: Counter[str] = field(default_factory=Counter)  # by reason

    def add(self, shown: Seen) -> None:
        if shown.reason is not None:
            self.skipped[shown.reason] += 1
            return
        scene = shown.scene
        counts = scene.counts()
        self.boxes.append(sum(counts.values()))
        self.ignored += int(scene.ignored.sum())
        self.asked += sum(map(bool, scene.phrases))
        self.num_with_boxes += len(counts)
        self.cut += shown.num_cut

    def facts(self) -> list[tuple[str, str]]:
        total, samples = sum(self.boxes), len(self.boxes)
        boxes = str(total)
        if samples:
            empty = self.boxes.count(0)
            boxes += (
                f' ({total / samples:.1f} per sample, from {min(self.boxes)} to '
                f'{max(self.boxes)}; {counted(empty, "sample", "samples")} without)'
            )
        facts = [
            ('samples shown', str(samples)),
            ('boxes', boxes),
            (
                'phrases and classes',
                f'{self.asked} asked for, {self.num_with_boxes} with boxes, '
                f'{self.asked - self.num_with_boxes} without',
            ),
        ]
        if self.ignored:
            facts.append(('boxes to ignore', str(self.ignored)))
        if self.cut:
            facts.append(('boxes without room in the caption', str(self.cut)))
        if self.skipped:
            most = self.skipped.most_common(_REASONS)
            lines = [f'{number}: {reason}' for reason, number in most]
            more = len(self.skipped) - len(most)
            lines += [f'{more} more reasons'] if more else []
            skipped = sum(self.skipped.values())
            facts.append(('samples skipped', f'{skipped} ({"; ".join(lines)})'))
        return facts


def browse(
    browser: SampleBrowser,
    folder: str | os.PathLike[str],
    *,
    title: str,
    number: int | None = None,
    which: Sequence[int] | None = None,
    as_images: bool = False,
    per_page: int = 20,
    show: Show | None = None,
) -> tuple[Path, list[tuple[str, str]]]:
    """Write samples, with a progress bar; Ctrl-C ends it with what there is.

    Args:
        browser: Source of the samples.
        folder: Created where it is missing.
        title: Heading of the page.
        number: How many, see :meth:`SampleBrowser.choose`.
        which: Their numbers, instead.
        as_images: Write image files instead of HTML.
        per_page: Samples on one page of HTML.
        show: Also given each sample as image.

    Returns:
        What to open, and facts as pairs of name and value.

    Raises:
        ConfigError: It cannot be written there, or a stream is asked for a number.
        DatasetError: There is nothing that can be shown.
    """
    chosen = browser.choose(number, which)
    folder = make_folder(folder)
    pages = None if as_images else PageWriter(folder, title, per_page)
    counts = _Counts()
    try:
        for shown in track(browser.samples(chosen), len(chosen), 'samples'):
            counts.add(shown)
            if pages is not None:
                pages.add(
                    f'{shown.index}: {relative(shown.path)}',
                    shown.parts,
                    [f'skipped: {shown.reason}'] if shown.reason else shown.notes,
                )
            if shown.parts and (as_images or show):
                image = _as_image(shown)
                if as_images:
                    name = f'{shown.index:06d}_{safe_name(Path(shown.path).stem)}.jpg'
                    write_picture(folder / name, image, quality=_QUALITY)
                if show:
                    show(image, relative(shown.path))
    except KeyboardInterrupt:
        counts.skipped['stopped by Ctrl-C'] += 0
    if not counts.boxes:
        reason = next(iter(counts.skipped), 'it has no samples')
        raise DatasetError(f'none of the samples can be shown: {reason}')
    facts = [*_about(browser), *counts.facts()]
    return (folder if pages is None else pages.finish(facts)), facts


def _as_image(shown: Seen) -> Image.Image:
    """A sample as one image, the steps of a pipeline below each other."""
    title = f'{shown.index}: {relative(shown.path)}  {"; ".join(shown.notes)}'
    images = []
    for number, (heading, scene) in enumerate(shown.parts, start=1):
        last = number == len(shown.parts)
        parts = [heading, title if last else '']
        images.append(render(scene, title='  '.join(filter(None, parts))))
    return stack(images)


def _about(browser: SampleBrowser) -> list[tuple[str, str]]:
    facts = []
    for leaf in browser.leaves:
        dataset = leaf.dataset
        source = getattr(dataset, 'ann_file', '') or getattr(dataset, 'shards', '')
        words = f'{type(dataset).__name__} {relative(str(source))}'.strip()
        if hasattr(dataset, '__len__'):
            words += f', {counted(len(dataset), "picture", "pictures")}'
        if leaf.names:
            some = ', '.join(map(str, leaf.names[:10]))
            more = ', ...' if len(leaf.names) > 10 else ''
            words += f', {counted(len(leaf.names), "class", "classes")}: {some}{more}'
        facts.append(('data set', words))
        dropped = getattr(dataset, 'dropped', None)
        if dropped and dropped.counts:
            facts.append(('left out of its annotations', dropped.reasons()))
    if len(browser.leaves) > 1 and not browser.is_stream:
        facts.append(('samples of an epoch', str(len(browser.dataset))))
    return facts
