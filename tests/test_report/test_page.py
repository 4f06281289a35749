"""What pages are made of, beside the scenes."""

import re

import numpy as np

from glip.report.page import bars, fitted, ranking


def test_a_large_picture_shrinks_by_the_factor_of_its_boxes():
    image = np.zeros((500, 2000, 3), np.uint8)
    small, factor = fitted(image)
    assert small.shape == (250, 1000, 3) and factor == 0.5
    same, factor = fitted(image[:, :800])
    assert same.shape == (500, 800, 3) and factor == 1


def test_bars_are_as_high_as_their_share_of_the_largest():
    page = bars(['a<b', 'c', 'd'], [4, 1, 0])
    heights = re.findall(r'height:([\d.]+)px', page)
    assert list(map(float, heights)) == [100, 25, 0]
    assert 'a&lt;b' in page and 'a<b' not in page
    assert 'height' not in bars([], [])


def test_a_ranking_names_and_counts():
    page = ranking([('cats & dogs', 3), ('birds', 1)])
    assert re.findall(r'<small>(\d)</small>', page) == ['3', '1']
    assert 'cats &amp; dogs' in page
