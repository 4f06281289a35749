"""The one place that knows what versions of other packages lack."""

from .finder import install

install()
