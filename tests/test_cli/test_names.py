"""Names of files of results."""

import pytest

from glip.cli.names import output_names


@pytest.mark.parametrize(
    ('inputs', 'names'),
    [
        (['d/a.jpg', 'd/b.png'], ['a', 'b']),
        (['d/a.jpg', 'd/A.png', 'd/b.png'], ['a_jpg', 'A_png', 'b']),
        (['a.jpg', 'a.png', 'a_jpg.gif'], ['a_jpg_2', 'a_png', 'a_jpg']),
        (['https://x.org/p/c%20d.jpeg?w=1'], ['c d']),
        (['https://x.org/'], ['image']),
        (['v1.2.jpg'], ['v1.2']),
        (['é' * 120 + '.jpg'], ['é' * 100]),
    ],
)
def test_output_names(inputs, names):
    assert output_names(inputs) == names
