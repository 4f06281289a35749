"""Exported graphs, run by onnxruntime behind the interface of a GLIP."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import Tensor, nn

from glip.errors import CheckpointError, PromptError, one_line
from glip.export.metadata import KEY, WORDS, unpacked
from glip.models.cpu.head import Predictor
from glip.models.dense_heads import PictureFeatures
from glip.models.detectors import GLIP
from glip.models.language import TextFeatures
from glip.models.postprocess import Candidates, EntityScores
from glip.models.preprocessing import DetDataPreprocessor
from glip.ops import clip_inclusive, half_open
from glip.registry import MODELS, build_light
from glip.runtime.extra import require
from glip.text import EncodedPrompt


def is_onnx(name: object) -> bool:
    """Whether ``name`` is that of an ONNX file."""
    return isinstance(name, (str, os.PathLike)) and os.fspath(name).endswith('.onnx')


def load_onnx(
    path: str | os.PathLike[str], test_cfg: Mapping[str, Any] | None = None
) -> tuple[nn.Module, Config]:
    """Read what :func:`glip.export.export_onnx` has written.

    Args:
        path: The graph of pictures; that of words lies beside it.
        test_cfg: Thresholds and limits in place of those in the file.

    Returns:
        A model for :class:`glip.Detector`, and its config.

    Raises:
        CheckpointError: It is missing, damaged, of another tool or another version.
        GLIPError: onnxruntime is not installed.
    """
    path = Path(path)
    session = Session(path)
    try:
        about = unpacked(session.metadata[KEY])
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f'{path}: not written by `glip export`: it has no metadata of a GLIP'
        ) from error
    if 'config' not in about:
        raise CheckpointError(f'{path}: is the graph of words; name {_of_words(path)}')
    cfg = Config(about['config'])
    if test_cfg is not None:
        cfg.model.test_cfg = test_cfg
    words = None
    if about['names'] is None:
        words = Session(path.with_suffix(WORDS))
    return _assembled(cfg, session, words, about), cfg


def _of_words(path: Path) -> str:
    return path.name.removesuffix(WORDS) + '.onnx'


class Session:
    """A graph that is ready to run, with as many threads as torch uses.

    A copy is the session itself, and one that was pickled reads its file again.

    Args:
        path: Of the graph.

    Attributes:
        inputs: Names of its inputs.
        metadata: What the file says of itself.

    Raises:
        CheckpointError: The file is missing or no graph that onnxruntime can run.
        GLIPError: onnxruntime is not installed.
    """

    def __init__(self, path: Path) -> None:
        runtime = require('onnxruntime', 'onnx')
        if not path.is_file():
            raise CheckpointError(f'{path}: no such file')
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        try:
            self._session = runtime.InferenceSession(
                str(path), options, providers=['CPUExecutionProvider']
            )
        except Exception as error:  # noqa: BLE001 (the runtime's own kinds)
            raise CheckpointError(
                f'{path}: cannot be opened by onnxruntime ({one_line(error)[:200]})'
            ) from error
        self.path = path
        self.inputs = {entry.name for entry in self._session.get_inputs()}
        self.metadata = self._session.get_modelmeta().custom_metadata_map

    def __deepcopy__(self, memo: Any) -> Session:
        return self

    def __reduce__(self) -> tuple[type[Session], tuple[Path]]:
        return Session, (self.path,)

    def run(self, **inputs: Tensor) -> list[Tensor]:
        """Outputs for inputs, of which those the graph has not are left out."""
        arrays = {k: v.numpy() for k, v in inputs.items() if k in self.inputs}
        return [torch.from_numpy(array) for array in self._session.run(None, arrays)]


def _assembled(
    cfg: Config, session: Session, words: Session | None, about: dict[str, Any]
) -> GLIP:
    """A GLIP whose networks are sessions."""
    with DefaultScope.overwrite_default_scope('glip'):
        with torch.device('meta'):  # of the networks only their shapes are used
            model = MODELS.build(cfg.model)
        model.data_preprocessor = build_light(
            cfg.model.data_preprocessor, MODELS, DetDataPreprocessor
        )
    head = model.bbox_head
    generator = head.prior_generator
    generator.base_anchors = generator.gen_base_anchors()
    predictor = SessionPredictor(None, head.bbox_coder, generator, head.test_cfg)
    predictor.session = session
    model.backbone = model.neck = nn.Identity()
    model.language_model.language_backbone = nn.Sequential(
        OrderedDict(body=SessionWords(words))
    )
    kind = SessionHead if about['names'] is None else BakedHead
    model.bbox_head = kind(predictor, about)
    return model.eval()


class SessionWords(nn.Module):
    """Language model of a session; None where the words are in the graph."""

    def __init__(self, session: Session | None) -> None:
        super().__init__()
        self.session = session
        # Where a model lies is asked of its parameters.
        self.device_marker = nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, input_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Token ids and mask (B, T) to hidden and embedded (B, T, D)."""
        if self.session is None:
            empty = torch.zeros(*input_ids.shape, 1)
            return empty, empty
        hidden, embedded = self.session.run(input_ids=input_ids, attention_mask=mask)
        return hidden, embedded


class SessionPredictor(Predictor):
    """Detections from the raw predictions of a session.

    Attributes:
        session: onnxruntime's, of the graph of pictures.
    """

    session: Session

    def encode_pictures(self, visual: Any) -> PictureFeatures:
        """The picture itself: the graph takes picture and words together."""
        height, width = visual.shape[2:]
        strides = (stride[0] for stride in self.anchors.strides)
        sizes = tuple((-(-height // s), -(-width // s)) for s in strides)
        return PictureFeatures(sizes, levels=(visual,))

    def _by_prompt(
        self,
        pictures: PictureFeatures,
        text: TextFeatures,
        scores_of: Sequence[Sequence[EntityScores]],
    ) -> Iterator[tuple[Candidates, Tensor]]:
        row = 0
        for picture, of_picture in enumerate(scores_of):
            image = pictures.levels[0][picture : picture + 1].float()
            for scores in of_picture:
                words = text.take([row], [scores.num_tokens])
                row += 1
                logits, deltas, centerness = self.session.run(
                    image=image,
                    hidden=words.hidden,
                    embedded=words.embedded,
                    mask=words.mask,
                )
                candidates = self.select(
                    logits[:, scores.tokens],
                    centerness.sigmoid(),
                    scores,
                    [height * width for height, width in pictures.sizes],
                    score_thr=self.cfg['score_thr'],
                    nms_pre=self.cfg['nms_pre'],
                )
                yield candidates, deltas[candidates.places]


class SessionHead(nn.Module):
    """Head whose network, with backbone and neck, is a session.

    Args:
        predictor: Of the session.
        about: Metadata of the file.
    """

    def __init__(self, predictor: SessionPredictor, about: dict[str, Any]) -> None:
        super().__init__()
        self.predictor, self.about = predictor, about
        self.test_cfg = predictor.cfg

    def encode_levels(self, visual: Any) -> Any:
        """Nothing: the picture comes through as it is."""
        return visual

    def encode_pictures(self, visual: Any) -> PictureFeatures:
        """See :meth:`SessionPredictor.encode_pictures`."""
        return self.predictor.encode_pictures(visual)

    def predict(
        self,
        pictures: PictureFeatures,
        text: TextFeatures,
        prompts: Sequence[Sequence[EncodedPrompt]],
        img_metas: Sequence[dict],
        *,
        rescale: bool = True,
    ) -> list[InstanceData]:
        """See :meth:`glip.models.ATSSVLFusionHead.predict`."""
        aggregation = self.test_cfg['score_agg']
        scores_of = [
            [
                EntityScores(p, len(p.input_ids), text.mask.device, aggregation)
                for p in of_picture
            ]
            for of_picture in prompts
        ]
        return self.predictor.predict(
            pictures, text, scores_of, img_metas, rescale=rescale
        )


class BakedHead(SessionHead):
    """Head of a graph that holds its words and gives boxes."""

    def predict(
        self,
        pictures: PictureFeatures,
        text: TextFeatures,
        prompts: Sequence[Sequence[EncodedPrompt]],
        img_metas: Sequence[dict],
        *,
        rescale: bool = True,
    ) -> list[InstanceData]:
        """Boxes of the graph in pixels of the original pictures.

        Raises:
            PromptError: Other words are asked for than those of the graph.
        """
        for of_picture in prompts:
            if [p.prompt.caption for p in of_picture] != [self.about['caption']]:
                raise PromptError(
                    f'this ONNX file finds {", ".join(self.about["names"])}; export it '
                    'without words for others'
                )
        results = []
        for picture, meta in enumerate(img_metas):
            image = pictures.levels[0][picture : picture + 1].float()
            boxes, scores, labels = self.predictor.session.run(image=image)
            boxes = torch.cat((boxes[:, :2], boxes[:, 2:] - 1), 1)
            boxes = clip_inclusive(boxes, *meta['img_shape'][:2])
            if rescale:
                width, height = meta.get('scale_factor', (1.0, 1.0))
                boxes = boxes / torch.tensor([width, height, width, height])
            boxes = half_open(boxes)
            results.append(InstanceData(bboxes=boxes, scores=scores, labels=labels))
        return results
