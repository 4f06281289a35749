"""A folder is gone through; what was accepted is kept, and the rest comes next."""

import json

import pytest

from glip.errors import DatasetError, GLIPError, ImageError, PromptError
from glip.page.folder_session import FolderSession, one_page, save_view, view_of

# In the order of the folder: one.png (red), three.png (red), two.png (blue).
ONE, THREE, TWO = range(3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'out' / 'boxes.json'


@pytest.fixture
def begin(kept, pictures, path):
    """Makes a session, as a page that is started anew does."""

    def session(text='red. blue', threshold=0.05):
        return FolderSession(pictures, path, kept, text, threshold)

    return session


def as_shown(view):
    """The boxes of a view, as a browser gives them back."""
    return [
        {
            'label': name,
            **dict(zip(('xmin', 'ymin', 'xmax', 'ymax'), box * view.factor)),
        }
        for name, box in zip(view.boxes.names, view.boxes.boxes)
    ]


def test_accepting_writes_and_moves_on(begin, path):
    session = begin()
    assert session.waiting(0) == ONE
    view = session.open(ONE)
    assert view.boxes.names == ['red'] and view.image.size == (640, 640)
    session.correct(ONE, view.serial, as_shown(view))
    session.accept(ONE)
    content = json.loads(path.read_text())
    assert [image['file_name'] for image in content['images']] == [
        '../pictures/one.png'
    ]
    assert content['annotations'][0]['bbox'] == pytest.approx([20, 20, 80, 40], abs=2)
    assert session.waiting(ONE) == THREE and session.accepted == 1


def test_a_new_session_goes_on_where_the_last_one_stopped(begin):
    session = begin()
    view = session.open(ONE)
    moved = [{**box, 'label': 'ball'} for box in as_shown(view)]
    session.correct(ONE, view.serial, moved)
    session.accept(ONE)
    later = begin()
    assert later.waiting(0) == THREE and later.names == ['ball', 'red', 'blue']
    again = later.open(ONE)
    assert again.boxes.names == ['ball']
    assert again.boxes.boxes == pytest.approx(view.boxes.boxes, abs=0.01)
    passes = later.kept.passes
    assert later.open(ONE).boxes.names == ['ball'] and later.kept.passes == passes


def test_without_words_those_of_the_file_are_found(begin):
    session = begin()
    for index in (ONE, TWO):
        session.open(index)
        session.accept(index)
    later = begin(text='')
    assert later.open(THREE).boxes.names == ['red']


def test_the_threshold_does_not_run_the_model_and_keeps_work(begin):
    session = begin()
    view = session.open(ONE)
    assert view.boxes.names == ['red'] and session.kept.passes == 1
    drawn = {'label': 'dot', 'xmin': 0, 'ymin': 0, 'xmax': 32, 'ymax': 32}
    session.correct(ONE, view.serial, [*as_shown(view), drawn])
    assert session.set_threshold(ONE, 0.5).boxes.names == ['dot']
    view = session.set_threshold(ONE, 0.05)
    assert sorted(view.boxes.names) == ['dot', 'red'] and session.kept.passes == 1
    dot = view.boxes.boxes[view.boxes.names.index('dot')]
    assert dot == pytest.approx([0, 0, 8, 8])


def test_other_words_keep_work_and_hold_for_the_next_pictures(begin):
    session = begin(text='red. green')
    view = session.open(TWO)
    assert view.boxes.names == []
    drawn = {'label': 'dot', 'xmin': 0, 'ymin': 0, 'xmax': 50, 'ymax': 50}
    session.correct(TWO, view.serial, [drawn])
    assert session.find(TWO, 'blue. green').boxes.names == ['dot', 'blue']
    with pytest.raises(PromptError):
        session.find(TWO, ' ')
    assert session.open(ONE).boxes.names == []


def test_leaving_a_picture_keeps_what_was_done(begin):
    session = begin()
    view = session.open(ONE)
    session.correct(ONE, view.serial, [])
    session.open(TWO)
    assert session.open(ONE).boxes.names == []


def test_a_box_without_a_name_is_not_accepted(begin, path):
    session = begin()
    view = session.open(ONE)
    box = {'label': ' ', 'xmin': 0, 'ymin': 0, 'xmax': 50, 'ymax': 50}
    session.correct(ONE, view.serial, [box])
    with pytest.raises(DatasetError):
        session.accept(ONE)
    assert not path.exists() and len(session.open(ONE).boxes) == 1


def test_a_picture_opened_elsewhere_is_not_overwritten(begin):
    session = begin()
    view = session.open(ONE)
    session.open(ONE)
    with pytest.raises(DatasetError):
        session.correct(ONE, view.serial, [])
    assert session.open(ONE).boxes.names == ['red']


@pytest.mark.parametrize(
    'box',
    [
        {'label': 'a'},
        {'label': 'a', 'xmin': 0, 'ymin': 0, 'xmax': float('nan'), 'ymax': 5},
        {'label': 'a', 'xmin': 'x', 'ymin': 0, 'xmax': 5, 'ymax': 5},
        {'label': 'a', 'xmin': None, 'ymin': 0, 'xmax': 5, 'ymax': 5},
    ],
)
def test_what_is_no_box_changes_nothing(begin, box):
    session = begin()
    view = session.open(ONE)
    with pytest.raises(DatasetError):
        session.correct(ONE, view.serial, [box])
    assert session.open(ONE).boxes.names == ['red']


def test_broken_pictures_are_passed_over(begin, pictures):
    (pictures / 'a.jpg').write_text('no picture')
    session = begin()
    assert session.waiting(0) == 0
    with pytest.raises(ImageError):
        session.open(0)
    assert session.waiting(0) == 1
    for index in (1, 2, 3):
        session.open(index)
        session.accept(index)
    assert session.waiting(0) is None


def test_a_file_that_cannot_be_written_costs_no_work(begin, path):
    session = begin()
    view = session.open(ONE)
    session.correct(ONE, view.serial, [])
    path.parent.mkdir()
    path.mkdir()
    with pytest.raises(GLIPError):
        session.accept(ONE)
    path.rmdir()
    assert session.open(ONE).boxes.names == []
    session.accept(ONE)
    assert json.loads(path.read_text())['annotations'] == []


def test_two_pages_do_not_write_one_file(path):
    with one_page(path):
        with pytest.raises(GLIPError), one_page(path):
            pass
    with one_page(path):
        pass
    assert list(path.parent.iterdir()) == []


def test_views_are_known_by_their_files_and_do_not_pile_up(begin, tmp_path):
    session = begin()
    for _ in range(40):
        view = session.open(ONE)
        file = save_view(view, tmp_path)
        assert view_of(file.name) == (ONE, view.serial)
    with pytest.raises(DatasetError):
        view_of('holiday-2.jpg')
    assert len(list(tmp_path.glob('*-*.jpg'))) < 20
