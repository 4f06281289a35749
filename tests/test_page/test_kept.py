"""What was asked before is not computed again."""

import pytest

import glip
from glip.errors import ImageError, PromptError
from glip.page.kept import MOST_NAMES, KeptDetections, read_words
from glip.paths import demo_root


def test_the_same_question_runs_the_model_once(kept, pictures):
    path = str(pictures / 'one.png')
    first = kept.of(path, 'red. blue')
    assert first.names == ['red'] and kept.passes == 1
    assert kept.of(path, 'red. blue') is first and kept.passes == 1
    kept.of(path, 'blue. red')
    kept.of(str(pictures / 'two.png'), 'red. blue')
    assert kept.passes == 3


def test_boxes_of_any_score_are_kept(kept, pictures):
    # The part is 3200 of 25600 pixels, which is what the stand-in scores.
    boxes = kept.of(str(pictures / 'one.png'), 'red. blue')
    assert boxes.scores == pytest.approx([0.125], abs=0.01)
    assert len(boxes.above(0.2)) == 0


def test_other_words_on_a_picture_reuse_what_needs_no_words(monkeypatch):
    detector = glip.load('glip-nano', device='cpu')
    encoded = []
    encode = detector.model.encode_pictures
    monkeypatch.setattr(
        detector.model,
        'encode_pictures',
        lambda pixels: encoded.append(1) or encode(pixels),
    )
    kept = KeptDetections(detector)
    path = str(demo_root() / 'person_dog_horse.jpg')
    animals = kept.of(path, 'dog. horse')
    people = kept.of(path, 'person')
    assert len(encoded) == 1 and kept.passes == 2
    direct = detector(path, 'dog. horse', threshold=0.0)
    assert animals.names == direct.names
    assert animals.scores == pytest.approx(direct.scores, abs=1e-5)
    assert people.above(0.4).names == ['person']


@pytest.mark.parametrize(
    'text',
    [None, '', ' \n', '. . .', '. '.join(f'w{i}' for i in range(MOST_NAMES + 1))],
)
def test_words_that_a_page_refuses(text):
    with pytest.raises(PromptError):
        read_words(text)


def test_a_file_that_is_no_picture(kept, tmp_path):
    path = tmp_path / 'no.jpg'
    path.write_text('no picture')
    for _ in range(2):
        with pytest.raises(ImageError):
            kept.of(str(path), 'red. blue')
    assert kept.passes == 2
