"""Where configs and demo pictures lie: in a checkout, or inside an installation."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent
_INSTALLED = _PACKAGE / '.mim'  # the folder in which OpenMMLab packages carry them


def _root() -> Path:
    # Another package may have left a folder of these names beside an installed glip.
    is_checkout = (_CHECKOUT / 'configs' / 'glip' / 'metafile.yml').is_file()
    return _CHECKOUT if is_checkout else _INSTALLED


def config_root() -> Path:
    """The folder of all configs: ``configs/`` of the repository."""
    return _root() / 'configs'


def demo_root() -> Path:
    """The folder of the demo and its pictures: ``demo/`` of the repository."""
    return _root() / 'demo'


def tool_path(name: str) -> Path:
    """A file of ``tools/`` of the repository."""
    return _root() / 'tools' / name
