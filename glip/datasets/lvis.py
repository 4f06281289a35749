"""LVIS: COCO's layout with addresses for file names, and the part called minival."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.utils import is_abs

from glip.datasets.coco import CocoDataset
from glip.errors import ConfigError, DatasetError
from glip.registry import DATASETS
from glip.runtime.reading import read_json

_MINIVAL = 'val2017/'  # in the addresses of its pictures


@DATASETS.register_module(name=['LVISV1Dataset', 'LVISV05Dataset', 'LVISDataset'])
class LVISDataset(CocoDataset):
    """LVIS v1 or v0.5 (arXiv 1908.03195); classes and file names are the file's.

    Pictures lie where COCO has them: ``data_prefix=dict(img='')`` below a folder with
    ``train2017`` and ``val2017``.

    Args:
        *args: See :class:`glip.datasets.CocoDataset`.
        subset: ``'minival'`` for the pictures of the validation file that lie in
            COCO's ``val2017`` (MDETR's minival, 4809 of version 1); a file with
            a JSON list of image ids, or in COCO's layout, below ``data_root``; or the
            ids themselves. All by default.
        **kwargs: As ``*args``.

    Raises:
        ConfigError: ``subset`` is none of these.
        DatasetError: There is no such file, or it names pictures that are not there.
    """

    def __init__(
        self,
        *args: Any,
        subset: str | os.PathLike[str] | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        self.subset = subset
        super().__init__(*args, **kwargs)

    def chosen(
        self, images: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any]]:
        """The pictures of the subset, in the order of the file."""
        if self.subset is None:
            return images
        if self.subset == 'minival':
            selected = [i for i in images if _MINIVAL in _address(i)]
            if not selected:
                raise DatasetError(
                    f'{self.ann_file}: no picture has {_MINIVAL} in its coco_url or '
                    "file_name, so there is no minival in it; is it LVIS's val file?"
                )
            return selected
        wanted = self._ids()
        selected = [image for image in images if image['id'] in wanted]
        if len(selected) < len(wanted):
            raise DatasetError(
                f'{len(wanted) - len(selected)} of the {len(wanted)} image ids of '
                f'subset {self.subset!r:.60} are not in {self.ann_file}'
            )
        return selected

    def _ids(self) -> set[Any]:
        """Image ids of the subset."""
        ids = self.subset
        if isinstance(ids, (str, os.PathLike)):
            path = os.fspath(ids)
            if self.data_root and not is_abs(path):
                path = os.path.join(self.data_root, path)
            ids = read_json(path, self.backend_args)
            if isinstance(ids, dict):
                ids = [image.get('id') for image in ids.get('images', ())]
        if not isinstance(ids, Sequence) or not ids:
            raise ConfigError(
                f"subset {self.subset!r:.60} of LVIS must be 'minival', a list of "
                'image ids, or a JSON file of one'
            )
        return set(ids)


def _address(image: Mapping[str, Any]) -> str:
    return f'{image.get("coco_url", "")} {image["file_name"]}'
