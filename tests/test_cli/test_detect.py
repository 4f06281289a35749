"""``glip detect`` over all kinds of sources and outputs."""

import csv
import io
import json
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from clip_files import write_video
from PIL import Image

from glip.cli.app import main


@pytest.fixture
def detect(model, capsys):
    """Run the command; give its exit code, standard output and error."""

    def run(*words):
        code = main(['detect', *map(str, words), *model])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_one_picture(detect, pictures, tmp_path):
    code, out, _ = detect(pictures / 'one.png', '--text', 'red. blue')
    assert code == 0
    assert out.splitlines()[1].split()[0] == 'red'
    record = json.loads((tmp_path / 'outputs/preds/one.json').read_text())
    assert record['label_names'] == ['red']
    assert Image.open(tmp_path / 'outputs/vis/one.jpg').size == (120, 80)


def test_several_sources_into_one_file(detect, pictures, tmp_path):
    words = [pictures, str(pictures / '*.jpg'), '--text', 'red. blue', '--out', 'o']
    code, out, err = detect(*words, '--save', 'coco,csv', '--no-pictures')
    assert code == 0 and '2 of 2 pictures done' in out and '1 .md' in out
    data = json.loads((tmp_path / 'o/coco.json').read_text())
    assert [c['name'] for c in data['categories']] == ['red', 'blue']
    assert len(data['images']) == 2 and len(data['annotations']) == 2
    assert len((tmp_path / 'o/boxes.csv').read_text().splitlines()) == 3
    assert not (tmp_path / 'o/vis').exists()


def test_a_broken_picture_costs_only_itself(detect, pictures):
    (pictures / 'bad.png').write_bytes(b'bad')
    code, out, err = detect(pictures, '--text', 'red', '--save', 'none')
    assert code == 0 and '2 of 3 pictures done' in out
    assert [line for line in err.splitlines() if 'bad.png' in line]


def test_an_unwritable_result_costs_only_itself(detect, pictures, tmp_path):
    (tmp_path / 'outputs/preds/one.json').mkdir(parents=True)
    code, out, err = detect(pictures, '--text', 'red')
    assert code == 0 and 'one.json' in err
    assert (tmp_path / 'outputs/preds/two.json').is_file()


def test_an_input_is_never_overwritten(detect, tmp_path):
    folder = tmp_path / 'outputs/vis'
    folder.mkdir(parents=True)
    picture = folder / 'one.jpg'
    Image.new('RGB', (64, 64), 'red').save(picture)
    before = picture.read_bytes()
    code, _, err = detect(picture, '--text', 'red')
    assert code == 1 and 'overwrite' in err
    assert picture.read_bytes() == before


def test_standard_input(detect, pictures, monkeypatch, tmp_path):
    file = io.BytesIO((pictures / 'one.png').read_bytes())
    monkeypatch.setattr('sys.stdin', SimpleNamespace(buffer=file))
    assert detect('-', '--text', 'red')[0] == 0
    assert (tmp_path / 'outputs/preds/stdin.json').is_file()
    assert detect('-', '--text', 'red')[0] == 1  # nothing is left to read


def test_a_video(detect, tmp_path):
    av = pytest.importorskip('av')
    with av.open(str(tmp_path / 'clip.mp4'), 'w') as container:
        stream = container.add_stream('libx264', rate=10, options={'crf': '1'})
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for number in range(12):
            pixels = np.full((48, 64, 3), 128, np.uint8)
            pixels[8:24, 8 : 20 + number] = (255, 0, 0)
            frame = av.VideoFrame.from_ndarray(pixels, format='rgb24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    words = ['clip.mp4', '--text', 'red', '--stride', '4', '--save', 'csv,json']
    words += ['--threshold', '0.01']
    assert detect(*words)[0] == 0
    table = csv.DictReader((tmp_path / 'outputs/boxes.csv').read_text().splitlines())
    rows = list(table)
    assert [row['frame'] for row in rows] == ['0', '4', '8']
    assert [float(row['time']) for row in rows] == pytest.approx([0, 0.4, 0.8])
    assert float(rows[2]['x2']) > float(rows[0]['x2']) + 4
    names = sorted(path.name for path in (tmp_path / 'outputs/preds').iterdir())
    assert names == [f'clip_{n:06d}.json' for n in (0, 4, 8)]
    with av.open(str(tmp_path / 'outputs/vis/clip.mp4')) as container:
        assert sum(1 for _ in container.decode(video=0)) == 3


def test_limits(detect, pictures, tmp_path):
    words = (pictures / 'one.png', '--text', 'red. blue', '--save', 'json')

    def boxes(*options):
        assert detect(*words, *options)[0] == 0
        return len(
            json.loads((tmp_path / 'outputs/preds/one.json').read_text())['bboxes']
        )

    assert boxes() == 1
    assert boxes('--threshold', '0.9') == 0
    assert boxes('--threshold', '0.9,red=0.1') == 1
    assert boxes('--min-size', '70') == 0
    assert boxes('--max-boxes', '1', '--class-agnostic', '--iou', '0.3') == 1


def test_slices_see_what_is_small(detect, tmp_path):
    pytest.importorskip('supervision')
    picture = Image.new('RGB', (400, 300), 'gray')
    picture.paste('red', (310, 10, 330, 30))
    picture.save(tmp_path / 'large.png')
    words = ['large.png', '--text', 'red', '--threshold', '0.01']
    assert detect(*words, '--slice', '100', '--overlap', '0.5')[0] == 0
    record = json.loads((tmp_path / 'outputs/preds/large.json').read_text())
    # A share of 400 of 120000 pixels is below the threshold; of a slice it is above.
    assert np.allclose(record['bboxes'], [[310, 10, 330, 30]], atol=2)


def test_drawing_without_tags_and_blurred(detect, pictures, tmp_path):
    noise = np.random.default_rng(0).integers(0, 60, (80, 120, 3), np.uint8)
    noise[16:64, 16:80, 0] += 195
    Image.fromarray(noise).save(pictures / 'noise.png')
    words = (
        pictures / 'noise.png',
        '--text',
        'red',
        '--threshold',
        '0.01',
        '--no-tags',
    )

    def inner():
        drawn = np.asarray(Image.open(tmp_path / 'outputs/vis/noise.jpg')).astype(float)
        return drawn[30:50, 30:66].std(axis=(0, 1)).mean()

    assert detect(*words)[0] == 0
    sharp = inner()
    assert detect(*words, '--blur')[0] == 0
    assert inner() < sharp / 2


@pytest.mark.parametrize(
    'words',
    [
        ['none.jpg', '--text', 'red'],
        ['*.gif', '--text', 'red'],
        ['pictures/one.png'],
        ['pictures/one.png', '--text', ''],
        ['pictures/one.png', '--text', 'red', '--save', 'xls'],
        ['pictures/one.png', '--text', 'red', '--threshold', 'nan'],
        ['pictures/one.png', '--text', 'red', '--threshold', 'dog=0.2'],
        ['pictures/one.png', '--text', 'red', '--stride', '0'],
        ['pictures/one.png', '--text', 'red', '--slice', '3'],
        ['pictures/one.png', '--text', 'red', '--out', 'pictures/two.jpg'],
        ['no.mp4', '--text', 'red'],
    ],
)
def test_bad_input_is_one_line(detect, pictures, words):
    code, _, err = detect(*words)
    lines = [line for line in re.split('[\\r\\n]', err) if 'picture/s' not in line]
    (line,) = filter(str.strip, lines)
    assert code == 1 and line.startswith('error: ')


def test_a_video_is_not_written_over_itself(detect, tmp_path):
    (tmp_path / 'o/vis').mkdir(parents=True)
    path = tmp_path / 'o/vis/a.mp4'
    write_video(path)
    before = path.read_bytes()
    code, _, err = detect(path, '--text', 'red', '--out', 'o')
    assert code == 1 and 'own input' in err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ('save', 'name'),
    [('yolo', 'red\nthing'), ('voc', 'red\x01'), ('cvat', '\x02red'), ('csv', 'red\0')],
)
def test_names_that_a_format_cannot_hold_come_before_the_model(
    detect, pictures, monkeypatch, save, name
):
    import glip.apis

    monkeypatch.setattr(glip.apis, 'load', None)
    words = [pictures / 'one.png', '--text', json.dumps([name]), '--save', save]
    code, _, err = detect(*words)
    assert code == 1 and save in err.lower() and err.count('\n') == 1


def test_a_prompt_for_two_classes_is_refused(detect, pictures):
    code, _, err = detect(
        pictures / 'one.png', '--text', '{"red": "apple", "red": "cherry"}'
    )
    assert code == 1 and 'apple' in err and 'cherry' in err


def test_one_file_of_the_run_that_fails_leaves_the_others(detect, pictures, tmp_path):
    (tmp_path / 'o/coco.json').mkdir(parents=True)
    words = [pictures, '--text', 'red', '--save', 'coco,csv', '--out', 'o']
    code, _, err = detect(*words, '--no-pictures')
    assert code == 1 and 'coco.json' in err
    assert len((tmp_path / 'o/boxes.csv').read_text().splitlines()) == 2


@pytest.fixture
def full_disk():
    """Files of more than 600 bytes cannot be written."""
    resource = pytest.importorskip('resource')
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_a_line_for_each_file(detect, pictures, tmp_path, full_disk):
    code, out, err = detect(pictures, '--text', 'red. blue', '--save', 'json,csv')
    lines = [line for line in re.split('[\r\n]', err) if line.startswith('error')]
    assert len(lines) == 2 and all('too large' in line.lower() for line in lines)
    # What is small is there, and nothing by halves.
    assert len((tmp_path / 'outputs/boxes.csv').read_text().splitlines()) == 3
    assert not list((tmp_path / 'outputs/vis').iterdir())


def test_a_full_disk_under_a_video_is_one_line(detect, tmp_path):
    resource = pytest.importorskip('resource')
    write_video(tmp_path / 'a.mp4')
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, before[1]))
    try:
        code, _, err = detect('a.mp4', '--text', 'red', '--save', 'none')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    lines = [line for line in re.split('[\r\n]', err) if 'picture/s' not in line]
    (line,) = filter(str.strip, lines)
    assert code == 1 and line.startswith('error: ') and 'a.mp4' in line
    assert not list((tmp_path / 'outputs/vis').iterdir())


def test_a_missing_extra_is_named(detect, pictures, monkeypatch):
    monkeypatch.setitem(sys.modules, 'supervision', None)
    words = ['pictures/one.png', '--text', 'red', '--slice', '64']
    code, _, err = detect(*words)
    assert code == 1 and 'glip[formats]' in err


def test_help_is_quick_to_come():
    code = 'import sys, glip.cli.app; sys.exit("mmdet" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code]).returncode == 0


def test_interrupted_by_the_keyboard(detect, pictures, monkeypatch):
    from glip.apis.detector import Detector

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(Detector, 'stream', interrupt)
    code, _, err = detect(pictures / 'one.png', '--text', 'red')
    assert code == 130 and err.rstrip().endswith('stopped')
