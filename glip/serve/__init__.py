"""Detections over HTTP; needs the extra ``serve``."""
