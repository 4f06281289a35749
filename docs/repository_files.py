"""Hook of mkdocs: pages of the repository that lie outside ``docs/`` join the site.

They and the pages of ``docs/`` link to each other by paths of the repository, as they
are read there; here those paths become the ones of the site.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).resolve().parent.parent
_PATTERNS = (
    *('*.md', 'CITATION.cff', 'LICENSE'),
    *('demo/*.md', 'demo/*.jpg', 'notebooks/*.ipynb'),
)
# Folder of the site that they lie in.
_PLACE = 'repository'
_LINK = re.compile(r'(?<=\]\()(?![a-z]+:|#)([^)\s#]+)|(?<=src=")(?![a-z]+:)([^"]+)')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files of the repository to those of ``docs/``."""
    for pattern in _PATTERNS:
        for path in sorted(_ROOT.glob(pattern)):
            uri = f'{_PLACE}/{path.relative_to(_ROOT).as_posix()}'
            files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Let links lead to where a file of the repository is in the site."""
    uri = page.file.src_uri
    in_repository = posixpath.relpath(uri, _PLACE)
    if in_repository.startswith('..'):
        in_repository = f'docs/{uri}'

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(
            posixpath.join(posixpath.dirname(in_repository), link[0])
        )
        if not (_ROOT / target).exists():
            return link[0]  # code, or a broken link, which mkdocs reports
        in_site = posixpath.relpath(target, 'docs')
        if in_site.startswith('..'):
            in_site = f'{_PLACE}/{target}'
        return posixpath.relpath(in_site, posixpath.dirname(uri) or '.')

    return _LINK.sub(moved, markdown)
