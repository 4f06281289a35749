"""The one place that knows what versions of other packages lack."""

from .mmcv_ops import install

install()
