"""The two routes that X-AnyLabeling's "Remote-Server" asks.

Source: docs/router.md of X-AnyLabeling-Server.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from glip.apis import Detections
from glip.formats.boxes import shortest
from glip.runtime.values import DEFAULT
from glip.serve.bodies import read_json
from glip.serve.detect import Score
from glip.serve.refusals import UnknownModel
from glip.serve.service import Service

# There 'person.car' is two names.
_GLUED = re.compile(r'(?<=[^\W\d_])\.(?=[^\W\d_])')


class Params(BaseModel):
    """What its window sends; what other models need is passed over.

    Attributes:
        text_prompt: What to look for.
        conf_threshold: Lowest score.
        iou_threshold: Of boxes of a class that overlap by more, the best is kept; 0
            keeps all that the model gives.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    text_prompt: str | None = None
    conf_threshold: Score | Literal['default'] = DEFAULT
    iou_threshold: Score = 0.0


class PredictRequest(BaseModel):
    """Body of ``/v1/predict``.

    Attributes:
        model: Key of ``/v1/models``.
        image: A picture in base64, bare or as a ``data:`` address.
        params: Options.
    """

    model: str
    image: str
    params: Params = Params()


def x_anylabeling_routes(service: Service) -> APIRouter:
    """The routes, for an application."""
    router = APIRouter()

    @router.get('/v1/models')
    async def models() -> dict[str, Any]:
        """The one model, and what the window shows for it."""
        description = {
            'display_name': f'{service.model} (GLIP)',
            'batch_processing_mode': 'text_prompt',
            'widgets': [
                {'name': 'edit_text', 'value': None, 'placeholder': 'person. red car'},
                {'name': 'button_send', 'value': None},
                {'name': 'input_conf', 'value': None},
                {'name': 'edit_conf', 'value': service.threshold},
                {'name': 'toggle_preserve_existing_annotations', 'value': False},
            ],
            'params': {'conf_threshold': service.threshold},
        }
        return {'success': True, 'data': {service.model: description}}

    @router.post('/v1/predict')
    async def predict(request: Request) -> dict[str, Any]:
        """Rectangles for one picture."""
        body = await read_json(request, PredictRequest)
        if body.model != service.model:
            raise UnknownModel(f'no model {body.model!r:.60}; here is {service.model}')
        # More than may be asked for is refused whether it is taken apart or not.
        words = (body.params.text_prompt or '')[: service.limits.characters + 1]
        prompt = await service.prompt_of(_GLUED.sub('. ', words) or None)
        picture = await service.picture(body.image, request.state.memory)
        threshold = body.params.conf_threshold
        (detections,) = await service.detect([picture], [prompt], threshold)
        if body.params.iou_threshold:
            detections = detections.nms(body.params.iou_threshold)
        return {
            'success': True,
            'data': {'shapes': shapes(detections), 'description': ''},
        }

    return router


def shapes(detections: Detections) -> list[dict[str, Any]]:
    """Rectangles of X-AnyLabeling: four corners, clockwise from the upper left."""
    return [
        {
            'label': name,
            'shape_type': 'rectangle',
            'points': _corners(*map(shortest, box)),
            'score': shortest(score),
            'attributes': {},
            'description': None,
            'difficult': False,
            'direction': 0,
            'flags': None,
            'group_id': None,
            'kie_linking': [],
        }
        for box, score, name in zip(
            detections.boxes, detections.scores, detections.names, strict=True
        )
    ]


def _corners(x1: float, y1: float, x2: float, y2: float) -> list[list[float]]:
    return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]
