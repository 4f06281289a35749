"""The page in Chromium: what one sees and clicks."""

from __future__ import annotations

import json

import pytest
from PIL import Image

import glip
from glip.apis import Detections
from glip.page.app import serving
from glip.page.folder_session import FolderSession
from glip.page.kept import KeptDetections
from glip.paths import demo_root

from .browser import browsing, free_port

pytestmark = pytest.mark.slow
_PICTURE = 'person_dog_horse.jpg'
_WORDS = 'person. dog. horse'


@pytest.fixture
def opened():
    """Serves a page and opens it; errors of its scripts fail the test."""
    pytest.importorskip('gradio')
    with browsing() as page:
        errors, hosts = [], set()
        page.on('pageerror', lambda error: errors.append(str(error)))
        page.on('request', lambda request: hosts.add(request.url.split('/')[2]))
        with pytest.MonkeyPatch.context() as patch:
            for variable in ('GRADIO_TEMP_DIR', 'no_proxy', 'NO_PROXY'):
                patch.setenv(variable, '')
            yield page
        assert not errors
        assert {host.partition(':')[0] for host in hosts} == {'127.0.0.1'}


def find(page, text):
    """Type words and look for them."""
    page.get_by_label('What to find').fill(text)
    page.get_by_role('button', name='Find').click()


def downloaded(page, name, folder):
    """The file behind a button."""
    with page.expect_download() as download:
        page.get_by_role('button', name=name, exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_find_move_the_threshold_go_back_and_download(opened, tmp_path):
    page = opened
    kept = KeptDetections(glip.load('glip-nano', device='cpu'))
    everything = kept.detector(str(demo_root() / _PICTURE), _WORDS, threshold=0.0)
    with serving(kept, port=free_port()) as address:
        page.goto(address)
        page.locator('#picture input[type=file]').set_input_files(
            demo_root() / _PICTURE
        )
        find(page, _WORDS)
        page.get_by_text(f'3 of {len(everything)} boxes').wait_for()
        table = page.locator('#boxes').inner_text()
        assert [name in table for name in ('person', 'dog', 'horse')] == [True] * 3
        drawn = page.locator('#drawn img').get_attribute('src')

        page.get_by_label('range slider for Threshold').fill('0.9')
        page.get_by_text(f'1 of {len(everything)} boxes').wait_for()
        assert 'horse' not in page.locator('#boxes').inner_text()
        assert page.locator('#drawn img').get_attribute('src') != drawn
        assert kept.passes == 1

        find(page, 'sheep')
        page.get_by_text('for sheep').wait_for()
        assert kept.passes == 2
        page.get_by_label(_WORDS).check()
        page.get_by_text(f'1 of {len(everything)} boxes').wait_for()
        assert kept.passes == 2
        assert page.get_by_label('What to find').input_value() == _WORDS

        record = downloaded(page, 'Download JSON', tmp_path)
        detections = Detections.from_dict(json.loads(record.read_text()))
        expected = everything.above(0.9)
        assert detections.names == expected.names == ['person']
        assert detections.boxes == pytest.approx(expected.boxes, abs=0.01)
        with Image.open(downloaded(page, 'Download picture', tmp_path)) as picture:
            assert picture.size == detections.size


def test_bad_input_is_a_line_and_the_page_goes_on(opened, kept, pictures, tmp_path):
    page = opened
    broken = tmp_path / 'broken.jpg'
    broken.write_text('no picture')
    with serving(kept, port=free_port()) as address:
        page.goto(address)
        toasts = page.get_by_test_id('toast-body')

        def refused(text, reason=''):
            find(page, text)
            toasts.filter(has_text=reason).first.wait_for()
            page.get_by_test_id('toast-close').first.click()
            toasts.first.wait_for(state='detached')

        refused('red')  # no picture
        upload = page.locator('#picture input[type=file]')
        upload.set_input_files(broken)
        refused('red. blue', 'broken.jpg')
        page.get_by_label('Remove Image').first.click()
        page.locator('#picture input[type=file]').set_input_files(pictures / 'one.png')
        refused('')
        refused('. '.join(f'word{number}' for number in range(10_000)))
        page.get_by_label('range slider for Threshold').fill('0.1')
        find(page, 'red. blue')
        page.get_by_text('1 of 1 boxes').wait_for()


def test_correct_boxes_of_a_folder(opened, kept, pictures, tmp_path):
    page = opened
    path = tmp_path / 'annotations.json'

    def session():
        return FolderSession(pictures, path, kept, 'red. blue', threshold=0.05)

    def boxes(name):
        content = json.loads(path.read_text())
        names = {each['id']: each['name'] for each in content['categories']}
        (image,) = (i for i in content['images'] if i['file_name'].endswith(name))
        return {
            names[each['category_id']]: each['bbox']
            for each in content['annotations']
            if each['image_id'] == image['id']
        }

    def at(x, y):
        """Where a place of a picture, 160 pixels wide and high, is on the screen."""
        canvas = page.locator('#canvas canvas').bounding_box()
        side = canvas['height'] / 160
        left = canvas['x'] + (canvas['width'] - canvas['height']) / 2
        return left + x * side, canvas['y'] + y * side

    def rename(name):
        page.get_by_label('Label', exact=True).fill(name)
        page.get_by_role('button', name='OK').click()

    with serving(kept, session(), port=free_port()) as address:
        page.goto(address)
        page.get_by_role('heading', name='one.png').wait_for()
        page.wait_for_function(
            "document.querySelector('#canvas canvas').height > 300"  # has its picture
        )
        # The box of red is deleted, and another one drawn.
        page.mouse.click(*at(50, 40))
        page.keyboard.press('Delete')
        page.get_by_label('Create box').click()
        page.mouse.move(*at(30, 100))
        page.mouse.down()
        page.mouse.move(*at(60, 120), steps=5)
        page.mouse.up()
        rename('ball')
        page.get_by_role('button', name='Accept').click()
        page.get_by_role('heading', name='three.png').wait_for()
        assert boxes('one.png') == {'ball': pytest.approx([30, 100, 30, 20], abs=1)}
        # Another name for what the model found.
        page.get_by_label('Drag boxes').click()
        page.mouse.dblclick(*at(100, 60))
        rename('crimson')
        page.get_by_role('button', name='Accept').click()
        page.get_by_role('heading', name='two.png').wait_for()
        assert boxes('three.png') == {'crimson': pytest.approx([80, 40, 40, 40], abs=2)}

    with serving(kept, session(), port=free_port()) as address:
        page.goto(address)
        page.get_by_role('heading', name='two.png').wait_for()
        page.get_by_role('button', name='Back').click()
        page.get_by_role('heading', name='three.png').wait_for()
        page.get_by_text('crimson').first.wait_for()
