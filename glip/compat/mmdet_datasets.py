"""The first import of ``mmdet.datasets``, which keeps standard output for results.

A fork of mmdet prints there what optional package it lacks, and programs read what ours
print.
"""

import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()):
    import mmdet.datasets  # noqa: F401
