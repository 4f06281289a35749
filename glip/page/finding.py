"""The part of the page that finds words in a picture."""

from __future__ import annotations

import html
import uuid
from pathlib import Path
from typing import Any

from glip.errors import ImageError
from glip.page.kept import KeptDetections
from glip.page.messages import reported
from glip.page.results import HEAD, write_results
from glip.paths import demo_root
from glip.runtime.extra import require

# Words for the pictures of demo/ that are there.
_EXAMPLES = {
    'person_dog_horse.jpg': 'person. dog. horse',
    'demo.jpg': 'a dog in front of a bicycle, and a white pickup truck',
    'coffee.jpg': 'cup. spoon. saucer',
    'astronaut.jpg': 'person. flag. helmet',
    'raccoon.jpg': 'raccoon',
    'cat.jpg': 'cat. nose',
}
_MOST_PROMPTS = 20  # that one can go back to
# Picture and words of the results, and the folder of their files.
Shown = tuple[str, str, str]


def add_finding(kept: KeptDetections, files: Path) -> None:
    """Lay the part out in the block that is open.

    Args:
        kept: Finds boxes.
        files: Folder for what can be downloaded, a folder below it for each browser.
    """
    gradio = require('gradio', 'page')
    shown = gradio.State(None)
    prompts = gradio.State([])
    with gradio.Row():
        with gradio.Column(scale=2, min_width=300):
            picture = gradio.Image(
                type='filepath',
                sources=['upload', 'webcam', 'clipboard'],
                label='Picture',
                height=260,
                buttons=[],
                elem_id='picture',
            )
            words = gradio.Textbox(
                label='What to find',
                placeholder='bench. car   or   a man with his dog',
                lines=2,
                max_lines=6,
            )
            button = gradio.Button('Find', variant='primary')
            history = gradio.Radio([], label='Asked before', visible=False)
            _add_examples(picture, words)
        with gradio.Column(scale=3, min_width=360):
            threshold = gradio.Slider(
                *(0, 1),
                value=kept.detector.default_threshold,
                step=0.01,
                label='Threshold',
                info='lowest score of a box; moving it does not run the model',
            )
            drawn = gradio.Image(
                label='Boxes',
                interactive=False,
                height=420,
                buttons=['fullscreen'],
                elem_id='drawn',
            )
            summary = gradio.HTML()
            table = gradio.Dataframe(
                headers=list(HEAD),
                datatype=['str', *['number'] * 5],
                interactive=False,
                max_height=260,
                label='Boxes, corners in pixels',
                elem_id='boxes',
            )
            with gradio.Row():
                record = gradio.DownloadButton('Download JSON', interactive=False)
                image = gradio.DownloadButton('Download picture', interactive=False)
    results = [drawn, table, summary, record, image]

    def results_of(path: str, text: str, score: float, folder: str) -> list[Any]:
        all_boxes = kept.of(path, text)
        detections = all_boxes.above(score)
        written = write_results(detections, files / folder)
        count = f'{len(detections)} of {len(all_boxes)} boxes'
        return [
            str(written.picture),
            written.table,
            f'{count} for <b>{html.escape(text)}</b>',
            gradio.DownloadButton(value=str(written.record), interactive=True),
            gradio.DownloadButton(value=str(written.picture), interactive=True),
        ]

    def answer(
        upload: dict[str, Any] | None, text: str, score: float, last: Shown | None
    ) -> list[Any]:
        if upload is None:
            raise ImageError('choose a picture first')
        folder = uuid.uuid4().hex if last is None else last[2]
        path = str(upload['path'])
        try:
            outputs = results_of(path, text, score, folder)
        except ImageError as error:
            # Where uploads lie tells nobody anything.
            raise ImageError(str(error).replace(path, Path(path).name)) from error
        return [*outputs, (path, text, folder)]

    @reported
    def find(
        upload: dict[str, Any] | None,
        text: str | None,
        score: float,
        last: Shown | None,
        asked: list[str],
    ) -> list[Any]:
        text = (text or '').strip()
        outputs = answer(upload, text, score, last)
        asked = [text, *(each for each in asked if each != text)][:_MOST_PROMPTS]
        return [*outputs, asked, gradio.Radio(asked, value=text, visible=True)]

    @reported
    def find_again(
        upload: dict[str, Any] | None, text: str, score: float, last: Shown | None
    ) -> list[Any]:
        return [*answer(upload, text, score, last), text]

    @reported
    def redraw(last: Shown | None, score: float) -> list[Any]:
        if last is None:
            return gradio.skip()
        path, text, folder = last
        return results_of(path, text, score, folder)

    # Uploads are read by us alone, hence no preprocessing.
    model = dict(concurrency_id='model', concurrency_limit=1, preprocess=False)
    gradio.on(
        [button.click, words.submit],
        find,
        [picture, words, threshold, shown, prompts],
        [*results, shown, prompts, history],
        **model,
    )
    history.input(
        find_again,
        [picture, history, threshold, shown],
        [*results, shown, words],
        **model,
    )
    threshold.change(
        redraw,
        [shown, threshold],
        results,
        trigger_mode='always_last',
        show_progress='hidden',
        **model,
    )


def _add_examples(picture: Any, words: Any) -> None:
    """Pictures to try, where they are installed."""
    gradio = require('gradio', 'page')
    examples = [
        [str(path), text]
        for name, text in _EXAMPLES.items()
        if (path := demo_root() / name).is_file()
    ]
    if examples:
        gradio.Examples(
            examples, [picture, words], label='Examples', examples_per_page=3
        )
