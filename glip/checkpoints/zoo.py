"""Published weights by name: where they lie and which config builds their model."""

import difflib
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from glip.checkpoints.download import cache_dir, fetch_file
from glip.errors import CheckpointError, ConfigError

_BASE = 'https://download.openmmlab.com/mmdetection/v3.0/glip/'
_WEIGHTS = Path(__file__).resolve().parent.parent / 'weights'
# OpenMMLab and torch.hub end a file name with the beginning of its SHA-256.
_HASH = re.compile(r'-([0-9a-f]{8,64})\.(?:pth|pt|bin|ckpt|safetensors)$')


@dataclass(frozen=True)
class ZooEntry:
    """One set of published weights.

    Attributes:
        name: What users type.
        config: File name under ``configs/glip``.
        url: Address, or None when the weights are part of the package.
        path: File in the package, or None when they are downloaded.
        sha256_prefix: Beginning of the file's SHA-256 in hex, or None.
    """

    name: str
    config: str
    url: str | None = None
    path: Path | None = None
    sha256_prefix: str | None = None


def _published(name: str, config: str, file: str) -> ZooEntry:
    url = _BASE + file
    return ZooEntry(name, config, url=url, sha256_prefix=hash_in_name(file))


def _finetuned(name: str, variant: str, run: str) -> ZooEntry:
    stem = f'glip_atss_swin-{variant}_fpn_dyhead_16xb2_ms-2x_funtune_coco'
    return _published(name, f'{stem}.py', f'{stem}/{stem}_{run}.pth')


def hash_in_name(name: str) -> str | None:
    """The SHA-256 prefix a file name ends with, or None."""
    match = _HASH.search(name)
    return match[1] if match else None


_TINY = 'glip_atss_swin-t'
_ENTRIES = (
    ZooEntry(
        'glip-nano',
        'glip_nano_csp_minilm.py',
        path=_WEIGHTS / 'glip-nano.safetensors',
    ),
    _published(
        'glip-tiny-a',
        f'{_TINY}_a_fpn_dyhead_pretrain_obj365.py',
        'glip_tiny_a_mmdet-b3654169.pth',
    ),
    _published(
        'glip-tiny-b',
        f'{_TINY}_b_fpn_dyhead_pretrain_obj365.py',
        'glip_tiny_b_mmdet-6dfbd102.pth',
    ),
    _published(
        'glip-tiny-c',
        f'{_TINY}_c_fpn_dyhead_pretrain_obj365-goldg.py',
        'glip_tiny_c_mmdet-2fc427dd.pth',
    ),
    _published(
        'glip-tiny',
        f'{_TINY}_fpn_dyhead_pretrain_obj365-goldg-cc3m-sub.py',
        'glip_tiny_mmdet-c24ce662.pth',
    ),
    _published(
        'glip-l',
        'glip_atss_swin-l_fpn_dyhead_pretrain_mixeddata.py',
        'glip_l_mmdet-abfe026b.pth',
    ),
    _finetuned('glip-tiny-a-coco', 't_a', '20230914_180419-e6addd96'),
    _finetuned('glip-tiny-b-coco', 't_b', '20230916_163538-650323ba'),
    _finetuned('glip-tiny-c-coco', 't_c', '20230914_182935-4ba3fc3b'),
    _finetuned('glip-tiny-coco', 't', '20230914_224410-ba97be24'),
    _finetuned('glip-l-coco', 'l', '20230910_100800-e9be4274'),
)
_ZOO = {entry.name: entry for entry in _ENTRIES}
_ALIASES = {
    'glip-t': 'glip-tiny',
    'glip-t-a': 'glip-tiny-a',
    'glip-t-b': 'glip-tiny-b',
    'glip-t-c': 'glip-tiny-c',
    'glip-large': 'glip-l',
}
# mmdet's metafile calls a model by the stem of its config; so may users.
_CONFIG_NAMES = {Path(entry.config).stem: entry.name for entry in _ENTRIES}


def names() -> tuple[str, ...]:
    """The names to choose from, aliases last."""
    return (*_ZOO, *_ALIASES)


def entries() -> tuple[ZooEntry, ...]:
    """All published weights, each once."""
    return _ENTRIES


def suggest(name: str) -> str | None:
    """The known name nearest to a mistyped one, or None."""
    near = difflib.get_close_matches(name.lower().replace('_', '-'), names(), n=1)
    return near[0] if near else None


def find(name: str) -> ZooEntry | None:
    """As :func:`resolve`, but None for an unknown name."""
    return _ZOO.get(_ALIASES.get(name) or _CONFIG_NAMES.get(name, name))


def resolve(name: str) -> ZooEntry:
    """Look a zoo name up; the file name of its config, without .py, is one too.

    Raises:
        ConfigError: The name is unknown; the line names the nearest, or all.
    """
    entry = find(name)
    if entry is None:
        near = suggest(name)
        raise ConfigError(
            f'unknown zoo name {name!r}'
            + (f'; did you mean {near}?' if near else f': {", ".join(names())}')
        )
    return entry


def download(entry: ZooEntry) -> Path:
    """The local weight file of a zoo entry, downloaded at first use.

    Raises:
        CheckpointError: It cannot be had, or is not the file that was published.
    """
    if entry.url is None:
        if entry.path is None or not entry.path.is_file():
            raise CheckpointError(
                f'the weights of {entry.name} are not in this installation; '
                'reinstall glip, or give a weight file of your own'
            )
        return entry.path
    target = cache_dir() / file_name(entry.url)
    return fetch_file(entry.url, target, sha256_prefix=entry.sha256_prefix)


def fetch(url: str) -> Path:
    """The local copy of a weight file at any http(s) address.

    An address of the zoo shares the zoo's copy; others are kept apart by address.

    Raises:
        CheckpointError: It cannot be had, or its name carries another hash.
    """
    for entry in _ENTRIES:
        if entry.url == url:
            return download(entry)
    name = file_name(url)
    folder = hashlib.sha256(url.encode()).hexdigest()[:12]
    target = cache_dir() / 'urls' / folder / name
    return fetch_file(url, target, sha256_prefix=hash_in_name(name))


def file_name(url: str) -> str:
    """Last part of an address's path."""
    return Path(unquote(urlparse(url).path)).name or 'weights'
