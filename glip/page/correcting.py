"""The part of the page that corrects the boxes of a folder."""

from __future__ import annotations

import html
from collections import Counter
from pathlib import Path
from typing import Any

from glip.errors import DatasetError, ImageError, one_line
from glip.page.folder_session import FolderSession, View, save_view, view_of
from glip.page.messages import reported, warn
from glip.runtime.extra import require
from glip.visualization.drawing import class_colors

_HELP = (
    'Drag a box to move it, its corners to resize it; a <b>double click</b> renames '
    'it, <b>Delete</b> removes it. The buttons below the picture draw new boxes '
    '(<b>C</b>), go back to moving (<b>D</b>) and remove; the wheel zooms.'
)


def add_correcting(blocks: Any, session: FolderSession, files: Path) -> None:
    """Lay the part out in the block that is open.

    Args:
        blocks: ``gradio.Blocks``: the page, which opens the first picture.
        session: The work.
        files: Folder for the pictures that are shown.
    """
    gradio = require('gradio', 'page')
    annotator = require('gradio_image_annotation', 'page').image_annotator
    with gradio.Row():
        with gradio.Column(scale=3, min_width=400):
            canvas = annotator(
                elem_id='canvas',
                label_list=session.names,
                sources=[],
                boxes_alpha=0.05,
                box_min_size=2,
                show_label=False,
                show_download_button=False,
                show_share_button=False,
                show_clear_button=False,
                show_remove_button=True,
            )
            gradio.HTML(_HELP)
        with gradio.Column(scale=1, min_width=260):
            status = gradio.HTML()
            accept = gradio.Button('Accept', variant='primary')
            with gradio.Row():
                back = gradio.Button('Back', min_width=80)
                skip = gradio.Button('Skip', min_width=80)
            number = gradio.Number(
                1,
                label='Picture (Enter opens it)',
                precision=0,
                minimum=1,
                maximum=len(session.pictures),
            )
            words = gradio.Textbox(
                session.text, label='What to find', lines=2, max_lines=6
            )
            find = gradio.Button('Find')
            threshold = gradio.Slider(
                *(0, 1), value=session.threshold, step=0.01, label='Threshold'
            )
    outputs = [canvas, status, number]

    def shown(view: View) -> list[Any]:
        return [
            gradio.update(
                value={
                    'image': str(save_view(view, files)),
                    'boxes': _boxes(view, session.names),
                },
                label_list=session.names,
            ),
            _status(session, view),
            view.index + 1,
        ]

    def current(payload: dict[str, Any] | None) -> int | None:
        """The picture on the canvas, with what was done to its boxes taken over."""
        if payload is None:
            return None
        if payload.get('orientation'):
            raise DatasetError('turn the picture back: boxes lie in it as it is stored')
        index, serial = view_of(Path(payload['image']['path']).name)
        boxes = [_unscaled(box) for box in payload['boxes']]
        session.correct(index, serial, boxes)
        return index

    def opened(index: int, step: int) -> list[Any]:
        """The picture, or where it is broken the next in that direction."""
        for _ in session.pictures:
            try:
                return shown(session.open(index))
            except ImageError as error:
                warn(one_line(error))
                index += step
        raise DatasetError(f'{session.folder}: no picture can be read')

    @reported
    def start() -> list[Any]:
        return opened(session.waiting(0) or 0, 1)

    @reported
    def accept_it(payload: dict[str, Any] | None) -> list[Any]:
        index = current(payload)
        if index is None:
            return gradio.skip()
        session.accept(index)
        waiting = session.waiting(index + 1)
        while waiting is not None:
            try:
                return shown(session.open(waiting))
            except ImageError as error:
                warn(one_line(error))
                waiting = session.waiting(waiting)
        gradio.Info(
            f'All pictures are done: glip train --data '
            f'{html.escape(str(session.annotations.path))}',
            duration=None,
        )
        return shown(session.open(index))

    @reported
    def step(payload: dict[str, Any] | None, by: int) -> list[Any]:
        index = current(payload)
        return opened(0 if index is None else index + by, by)

    @reported
    def go(payload: dict[str, Any] | None, wanted: float | None) -> list[Any]:
        current(payload)
        if wanted is None or not 1 <= wanted <= len(session.pictures):
            raise DatasetError(f'pictures are 1 to {len(session.pictures)}')
        return shown(session.open(int(wanted) - 1))

    @reported
    def look(payload: dict[str, Any] | None, text: str | None) -> list[Any]:
        index = current(payload)
        return (
            gradio.skip() if index is None else shown(session.find(index, text or ''))
        )

    @reported
    def filtered(payload: dict[str, Any] | None, score: float) -> list[Any]:
        index = current(payload)
        if index is None:
            return gradio.skip()
        return shown(session.set_threshold(index, score))

    # Boxes are taken as the canvas has them: rounded, they would seem to be moved.
    event = dict(concurrency_id='model', concurrency_limit=1, preprocess=False)
    blocks.load(start, None, outputs, **event)
    accept.click(accept_it, canvas, outputs, **event)
    back.click(lambda payload: step(payload, -1), canvas, outputs, **event)
    skip.click(lambda payload: step(payload, 1), canvas, outputs, **event)
    number.submit(go, [canvas, number], outputs, **event)
    gradio.on([find.click, words.submit], look, [canvas, words], outputs, **event)
    threshold.release(filtered, [canvas, threshold], outputs, **event)


def _colors(view: View, names: list[str]) -> dict[str, tuple[int, int, int]]:
    """A colour for each name."""
    known = list(dict.fromkeys([*names, *view.boxes.names]))
    return dict(zip(known, class_colors('none', len(known))))


def _boxes(view: View, names: list[str]) -> list[dict[str, Any]]:
    """Boxes for the canvas, in pixels of the view, each class in its colour."""
    colors = _colors(view, names)
    boxes = []
    for corners, name in zip(view.boxes.boxes, view.boxes.names, strict=True):
        x1, y1, x2, y2 = (float(value) * view.factor for value in corners)
        boxes.append(
            {
                **dict(xmin=x1, ymin=y1, xmax=x2, ymax=y2, label=name),
                'color': colors[name],
            }
        )
    return boxes


def _unscaled(box: dict[str, Any]) -> dict[str, Any]:
    """A box of the canvas in pixels of the view."""
    factor = box.get('scaleFactor') or 1.0
    sides = ('xmin', 'ymin', 'xmax', 'ymax')
    return {**box, **{side: box[side] / factor for side in sides if side in box}}


def _status(session: FolderSession, view: View) -> str:
    name = html.escape(session.pictures[view.index].name)
    mark = ' ✓ accepted' if session.is_accepted(view.index) else ''
    count = len(session.pictures)
    colors = _colors(view, session.names)
    counts = Counter(view.boxes.names)
    legend = ' &nbsp; '.join(
        f'<span style="color: rgb{colors[each]}">■</span> {html.escape(each)}'
        f'{f" ×{times}" if times > 1 else ""}'
        for each, times in counts.items()
    )
    return (
        f'<h3>{name}{mark}</h3>'
        f'<p>{legend or "no boxes"}</p>'
        f'<p>Picture {view.index + 1} of {count}, {session.accepted} accepted, kept in '
        f'<code style="overflow-wrap: anywhere">'
        f'{html.escape(str(session.annotations.path))}</code></p>'
    )
