"""XML that every reader takes."""

from __future__ import annotations

import re
from xml.etree import ElementTree

# Characters that XML 1.0 has no way to write.
_FORBIDDEN = re.compile('[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')


def add_text(parent: ElementTree.Element, tag: str, text: str) -> None:
    """Add an element with a text, less what XML cannot hold."""
    ElementTree.SubElement(parent, tag).text = xml_safe(text)


def xml_safe(text: str) -> str:
    """The text without control characters and lone surrogates."""
    return _FORBIDDEN.sub('', text)


def document(root: ElementTree.Element) -> str:
    """The indented document, with a line that names its encoding, UTF-8."""
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding='unicode')
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'
