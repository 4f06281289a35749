"""Mutate one line of the model at a time and check that the tests fail.

    python tests/mutations.py            # all of them, some minutes
    python tests/mutations.py mask nms   # those with such a word in their name

Each mutation is applied to a copy of the tree, in the file of ``glip/`` that contains
its text, wherever that lies. The tests that must fail are worked by hand; none compares
with another library's model. The exit status is 1 if a mutation survives, if it raises
instead of computing something else, or if its text does not occur exactly once.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCORES = 'tests/test_models/test_final_scores.py'
BLOCKS = 'tests/test_models/test_blocks_by_hand.py'
LAYERS = 'tests/test_models/test_layers.py'


@dataclass(frozen=True)
class Mutation:
    """One change of the source.

    Attributes:
        name: What is wrong afterwards.
        old: Text that is once in all files of ``glip/``.
        new: Text in its place.
        tests: Files or tests of which one has to fail.
    """

    name: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTATIONS = (
    Mutation(
        'square root of class x centerness dropped',
        'scores[real].sqrt(),',
        'scores[real],',
        (SCORES,),
    ),
    Mutation(
        'token embedding not halved',
        'dot_product_projection_text(tokens / 2)',
        'dot_product_projection_text(tokens)',
        (SCORES,),
    ),
    Mutation(
        'mask ignored in the first BERT layer of the tower',
        '(words.hidden, words.attention_mask)',
        '(words.hidden, None if layer is self.dyhead_tower[1] '
        'else words.attention_mask)',
        (BLOCKS,),
    ),
    Mutation(
        'mask ignored in the last BERT layer of the tower',
        '(words.hidden, words.attention_mask)',
        '(words.hidden, None if layer is self.dyhead_tower[-2] '
        'else words.attention_mask)',
        (BLOCKS,),
    ),
    Mutation(
        'mask ignored in the attention of BERT layers',
        'attn_mask=None if mask is None else mask[:, None, None],\n'
        '            dropout_p=self.drop if',
        'attn_mask=None,\n            dropout_p=self.drop if',
        (BLOCKS,),
    ),
    Mutation(
        'mask ignored in the language model',
        'attention_mask=mask.long(),',
        'attention_mask=torch.ones_like(mask).long(),',
        (BLOCKS,),
    ),
    Mutation(
        'DyReLU range 1',
        '(slope1 * 2, offset1 - 0.5), (slope2 * 2 - 1, offset2 - 0.5)',
        '(slope1 + 0.5, offset1 - 0.5), (slope2 - 0.5, offset2 - 0.5)',
        (BLOCKS,),
    ),
    Mutation(
        'centerness left out of ranking, few candidates',
        'joint[part].topk(nms_pre).indices',
        'scores[row, entity][part].topk(nms_pre).indices',
        (SCORES,),
    ),
    Mutation(
        'centerness left out of ranking, all candidates',
        'best, index = level.topk(nms_pre)',
        'index = scores.split(sizes)[len(candidates)].flatten().topk(nms_pre).indices\n'
        '            best = level[index]',
        (SCORES,),
    ),
    Mutation(
        'threshold after centerness, few candidates',
        '(scores > score_thr).nonzero()',
        '(scores * centerness[rows, None] > score_thr).nonzero()',
        (SCORES,),
    ),
    Mutation(
        'threshold after centerness, all candidates',
        'joint.where(scores > score_thr,',
        'joint.where(joint > score_thr,',
        (SCORES,),
    ),
    Mutation(
        'box deltas clamped from below',
        '.clamp(max=MAX_LOG_RATIO)',
        '.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)',
        (SCORES,),
    ),
    Mutation(
        'box deltas not clamped from above',
        '.clamp(max=MAX_LOG_RATIO)',
        '',
        (SCORES,),
    ),
    Mutation(
        'nms without the +1',
        'boxes = half_open(boxes).double()',
        'boxes = boxes.double()',
        (SCORES,),
    ),
    Mutation(
        'boxes without the +1',
        'numbers.\n        boxes = half_open(boxes)',
        'numbers.\n        pass',
        (SCORES,),
    ),
    Mutation(
        'bilinear -> nearest between levels, plain path',
        "return F.interpolate(x, size=size, mode='bilinear', align_corners=True)",
        "return F.interpolate(x, size=size, mode='nearest')",
        (BLOCKS,),
    ),
    Mutation(
        'bilinear -> nearest between levels, folded norms',
        "x = F.interpolate(x, size=size, mode='bilinear', align_corners=True)",
        "x = F.interpolate(x, size=size, mode='nearest')",
        (BLOCKS,),
    ),
    Mutation(
        'bilinear -> nearest in the channel means, folded norms',
        "F.interpolate(each, new, mode='linear', align_corners=True)",
        "F.interpolate(each, new, mode='nearest')",
        (f'{LAYERS}::test_dyconv_of_three_levels_by_hand',),
    ),
    Mutation(
        'corners of bilinear resampling not aligned, plain path',
        "return F.interpolate(x, size=size, mode='bilinear', align_corners=True)",
        "return F.interpolate(x, size=size, mode='bilinear')",
        (BLOCKS,),
    ),
    Mutation(
        'corners of bilinear resampling not aligned, folded norms',
        "x = F.interpolate(x, size=size, mode='bilinear', align_corners=True)",
        "x = F.interpolate(x, size=size, mode='bilinear')",
        (BLOCKS,),
    ),
    Mutation(
        'bilinear -> nearest in the deformable convolution, gather form',
        'fraction = position - low\n',
        'fraction = (position - low).round()\n',
        (BLOCKS,),
    ),
    Mutation(
        'layer scale of positions ignored',
        'scale = self.gamma_v * self.drop_path(',
        'scale = torch.ones_like(self.gamma_v) * self.drop_path(',
        (BLOCKS,),
    ),
    Mutation(
        'layer scale of positions ignored, plain path',
        'positions = positions + update_v * scale.unsqueeze(-2)',
        'positions = positions + update_v',
        (BLOCKS,),
    ),
    Mutation(
        'layer scale of biases ignored, absorbed form',
        'out_bias = out_bias * scale\n',
        'out_bias = out_bias * torch.ones_like(scale)\n',
        (BLOCKS,),
    ),
    Mutation(
        'layer scale of values ignored, absorbed form',
        'values = values * scale.unsqueeze(-3)\n',
        'values = values * torch.ones_like(scale).unsqueeze(-3)\n',
        (BLOCKS,),
    ),
    Mutation(
        'layer scale of words ignored',
        'self.drop_path(self.gamma_l * delta)',
        'self.drop_path(delta)',
        (BLOCKS,),
    ),
    Mutation(
        'offsets of the coarser level cut to its size',
        'return field.reshape(batch, -1)[:, :needed].reshape('
        'batch, channels, height, width)',
        'return field[:, :, :height, :width]',
        (BLOCKS,),
    ),
    Mutation(
        'offsets of the coarser level reshaped channel by channel',
        'return field.reshape(batch, -1)[:, :needed].reshape('
        'batch, channels, height, width)',
        'return field.flatten(2)[:, :, : height * width].reshape('
        'batch, channels, height, width)',
        (BLOCKS,),
    ),
)


def copy_tree(target: Path) -> None:
    """Copy what the tests read."""
    unread = shutil.ignore_patterns('__pycache__', '*.egg-info', '.mim')
    for name in ('glip', 'configs', 'tests', 'demo', 'tools'):
        shutil.copytree(ROOT / name, target / name, ignore=unread)
    for name in ('pyproject.toml', 'setup.py', 'README.md'):
        shutil.copy(ROOT / name, target)


def run_tests(root: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """Exit status and output of pytest, up to the first failure."""
    command = [sys.executable, '-m', 'pytest', '-q', '-x', '--tb=line']
    # A line of the summary is cut at the width of the terminal.
    settings = {'PYTHONPATH': str(root), 'COLUMNS': '999'}
    run = subprocess.run(
        [*command, '-p', 'no:cacheprovider', *tests],
        cwd=root,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


def verdict(root: Path, mutation: Mutation) -> tuple[bool, str]:
    """Whether the tests fail as they should, and the line for the table."""
    files = [
        path for path in root.glob('glip/**/*.py') if mutation.old in path.read_text()
    ]
    count = sum(path.read_text().count(mutation.old) for path in files)
    if count != 1:
        return False, f'its text occurs {count} times'
    (path,) = files
    source = path.read_text()
    path.write_text(source.replace(mutation.old, mutation.new))
    try:
        status, output = run_tests(root, mutation.tests)
    finally:
        path.write_text(source)
    if status == 0:
        return False, 'survived'
    failed = re.search(r'^FAILED \S+::(\S+) - (.*)', output, re.MULTILINE)
    # A name or an argument that is gone would fail any test.
    if not failed or not failed[2].startswith(('assert', 'AssertionError', 'Failed')):
        return False, f'broken: {failed[2] if failed else output.strip()[-200:]}'
    return True, f'killed by {failed[1]}'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('words', nargs='*', help='choose by words of the names')
    words = [word.lower() for word in parser.parse_args().words]
    chosen = [
        mutation
        for mutation in MUTATIONS
        if not words or any(word in mutation.name.lower() for word in words)
    ]
    if not chosen:
        parser.error('no mutation has such a word in its name')
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        copy_tree(root)
        tests = tuple(dict.fromkeys(t for m in chosen for t in m.tests))
        status, output = run_tests(root, tests)
        if status:
            print(output)
            print('the tests fail without any mutation')
            return 1
        killed = 0
        width = max(len(mutation.name) for mutation in chosen)
        for mutation in chosen:
            is_killed, outcome = verdict(root, mutation)
            killed += is_killed
            print(f'{mutation.name:{width}}  {outcome}', flush=True)
    print(f'{killed} of {len(chosen)} killed')
    return int(killed < len(chosen))


if __name__ == '__main__':
    sys.exit(main())
