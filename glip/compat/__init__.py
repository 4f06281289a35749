"""The one place that knows what versions of other packages lack or do too much."""

from . import finder

finder.install()
