"""Find what words name in a picture, a folder of pictures, or one behind an address.

Example:
    python demo/image_demo.py demo/demo.jpg glip-nano --texts 'dog. bicycle. car'
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

import glip.apis
from glip.apis import Detections
from glip.errors import GLIPError, ImageError, PromptError
from glip.images import is_url
from glip.runtime import compiling
from glip.runtime.command import command
from glip.text import parse_text
from glip.visualization.drawing import PALETTES


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; the flags are those of MMDetection's image_demo.py."""
    parser = argparse.ArgumentParser(
        description='Find what words name in pictures; draw it and write it as JSON.'
    )
    add = parser.add_argument
    add('inputs', help='a picture, a folder of pictures, or an http(s) address')
    add('model', help='a config file, or a name from the zoo such as glip-nano')
    add('--weights', help='checkpoint; a name from the zoo has its own')
    add(
        '--prompt',
        help='tuned prompt, a file that tools/train.py --tuning prompt has written; '
        'without --texts its words are looked for',
    )
    add('--out-dir', default='outputs', help='where vis/ and preds/ go [outputs]')
    add(
        '--texts',
        help="what to find: 'bench. car', a sentence, '$: coco' for the names of a "
        'known data set, or JSON: ["bench", "car"] (names), {"grey fur": "raccoon"} '
        '(prompt text: class name)',
    )
    add('--device', help='cpu, cuda, cuda:1 ... [cuda if there is one]')
    add(
        '--pred-score-thr',
        type=float,
        metavar='SCORE',
        help="lowest score that is drawn, printed and written [the model's own]",
    )
    add('--batch-size', type=_positive, default=1, help='pictures at a time [1]')
    add(
        '--amp',
        action='store_true',
        help='detect in half precision: bfloat16 where the processor has it',
    )
    add('--compile', **compiling.FLAG)
    add('--show', action='store_true', help='show each result in a window')
    add('--no-save-vis', action='store_true', help='write no pictures')
    add('--no-save-pred', action='store_true', help='write no JSON')
    add('--print-result', action='store_true', help='print the JSON of each picture')
    add('--palette', default='none', choices=PALETTES, help='colours of the classes')
    add(
        '--custom-entities',
        '-c',
        action='store_true',
        help='take --texts as class names separated by dots, never as a sentence',
    )
    add(
        '--chunked-size',
        '-s',
        type=int,
        default=-1,
        help='class names per prompt; -1: as many as fit [-1]',
    )
    add(
        '--tokens-positive',
        '-p',
        help="character spans of each entity, such as '[[[0, 5]], [[9, 12]]]'; "
        '-1: the whole text is one entity',
    )
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{value} is less than 1')
    return value


def read_texts(texts: str | None) -> Any:
    """Turn the --texts argument into what a detector takes.

    Raises:
        PromptError: It is missing, or JSON of an unusable kind.
    """
    if texts is None:
        raise PromptError("say what to find, for example --texts 'bench. car'")
    if not texts.lstrip().startswith(('{', '[')):
        return texts
    try:
        value = json.loads(texts)
    except json.JSONDecodeError as error:
        if texts.lstrip().startswith('['):
            return texts  # a name may begin with a bracket
        raise PromptError(f'--texts: not a JSON object ({error})') from error
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    if not all(isinstance(part, str) for part in parts):
        raise PromptError(
            '--texts: JSON must be {"prompt text": "class name", ...} or ["name", ...]'
        )
    return value


def read_tokens_positive(text: str | None) -> Any:
    """Turn the --tokens-positive argument into spans.

    Raises:
        PromptError: It is no list of spans.
    """
    if text is None:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise PromptError(
            f'--tokens-positive: {text!r} is not a list of spans such as '
            "'[[[0, 5]], [[9, 12]]]', nor -1"
        ) from error


def find_inputs(inputs: str) -> list[str]:
    """List the pictures that an input stands for."""
    if not is_url(inputs) and Path(inputs).is_dir():
        return [str(path) for path in glip.apis.find_images(inputs)]
    return [inputs]


def output_names(inputs: Sequence[str]) -> list[str]:
    """Name the results of each input: its file name without the extension.

    Where two would share a name (``a.jpg`` and ``a.png``), both keep the extension
    (``a_jpg``, ``a_png``), and a number is added should that be taken as well. Names
    are compared without case, as some file systems do.
    """
    files = [_file_name(source) for source in inputs]
    stems = [Path(file).stem for file in files]
    counts: dict[str, int] = {}
    for stem in stems:
        counts[stem.casefold()] = counts.get(stem.casefold(), 0) + 1
    taken = {stem for stem, count in counts.items() if count == 1}
    names = []
    for file, stem in zip(files, stems):
        name = stem
        if counts[stem.casefold()] > 1:
            wanted = name = file.replace('.', '_')
            number = 2
            while name.casefold() in taken:
                name = f'{wanted}_{number}'
                number += 1
            taken.add(name.casefold())
        names.append(name)
    return names


def _file_name(source: str) -> str:
    """Last part of a path or address, short enough to take an extension."""
    if is_url(source):
        path = urllib.parse.unquote(urllib.parse.urlsplit(source).path)
        name = path.rstrip('/').rpartition('/')[2]
        source = ''.join('_' if c in '<>:"\\|?*\0' else c for c in name) or 'image'
    name = Path(source).name
    stem, suffix = Path(name).stem, Path(name).suffix
    while len(stem.encode()) > 200:  # file systems allow 255 bytes
        stem = stem[:-1]
    return stem + suffix


def table(detections: Detections) -> str:
    """One line per box: name, score, corners."""
    if not len(detections):
        return 'nothing found; a lower --pred-score-thr shows weaker guesses'
    width = max(4, *(len(name) for name in detections.names))
    lines = [f'{"name":{width}}  score  {"x1":>7}{"y1":>8}{"x2":>8}{"y2":>8}']
    for name, score, box in zip(detections.names, detections.scores, detections.boxes):
        corners = ''.join(f'{value:8.1f}' for value in box)
        lines.append(f'{name:{width}}  {score:5.2f} {corners}')
    return '\n'.join(lines)


class Writer:
    """Puts detections where the command line says.

    Args:
        args: The parsed command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.vis = None if args.no_save_vis else Path(args.out_dir, 'vis')
        self.preds = None if args.no_save_pred else Path(args.out_dir, 'preds')
        for folder in (self.vis, self.preds):
            if folder:
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise GLIPError(f'{folder}: {error.strerror}') from error

    def write(self, detections: Detections, name: str) -> list[str]:
        """Draw, write, show and print one result; return a line for each file."""
        lines = []
        if self.vis or self.args.show:
            picture = detections.plot(palette=self.args.palette)
            if self.vis:
                path = self.vis / f'{name}.jpg'
                picture.save(path, quality=95)
                lines.append(f'picture: {path}')
            if self.args.show:
                show(picture, name)
        text = json.dumps(detections.to_dict(), ensure_ascii=False)
        if self.preds:
            path = self.preds / f'{name}.json'
            path.write_text(text + '\n', encoding='utf-8')
            lines.append(f'boxes:   {path}')
        if self.args.print_result:
            tqdm.write(text)
        return lines


def show(picture: Any, title: str) -> None:
    """Show a picture in a window until it is closed.

    Raises:
        GLIPError: There is no display.
    """
    import matplotlib.pyplot as plt

    if plt.get_backend().lower() in ('agg', 'pdf', 'svg', 'ps', 'template'):
        raise GLIPError('--show needs a display; without it, results are files')
    figure = plt.figure(title)
    plt.imshow(picture)
    plt.axis('off')
    plt.show()
    plt.close(figure)


@command(parse_args)
def main(args: argparse.Namespace) -> int:
    """Detect in all inputs.

    Returns:
        0 if at least one picture was done, 1 if none.
    """
    words = None
    if args.texts is not None or args.prompt is None:
        words = parse_text(
            read_texts(args.texts),
            custom_entities=args.custom_entities or None,
            tokens_positive=read_tokens_positive(args.tokens_positive),
        )
    inputs = find_inputs(args.inputs)
    writer = Writer(args)
    detector = glip.apis.load(
        args.model,
        args.weights,
        args.device,
        amp=args.amp,
        compile=dict(mode=args.compile) if args.compile else False,
        prompt=args.prompt,
    )
    several = len(inputs) > 1
    results = detector.stream(
        inputs,
        words,
        threshold=args.pred_score_thr,
        batch_size=args.batch_size,
        chunked_size=args.chunked_size,
        on_error='return' if several else 'raise',
    )
    bar = tqdm(results, total=len(inputs), unit='picture', disable=not several)
    done = 0
    for detections, name in zip(bar, output_names(inputs)):
        if isinstance(detections, ImageError):
            tqdm.write(f'error: {detections}', file=sys.stderr)
            continue
        lines = writer.write(detections, name)
        done += 1
        if not several:
            print(table(detections), *lines, sep='\n')
    if several:
        where = [str(folder) for folder in (writer.vis, writer.preds) if folder]
        print(
            f'{done} of {len(inputs)} pictures done'
            + (f'; results in {" and ".join(where)}' if where else '')
        )
    return 0 if done else 1


if __name__ == '__main__':
    sys.exit(main())
