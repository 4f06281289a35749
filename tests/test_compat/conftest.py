"""What the tests of the stand-in for mmcv's compiled ops share."""

import glip  # noqa: F401  (before the tests import mmcv.ops)
