"""``POST /v1/detect``: pictures as files or in JSON, detections in the same order."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from glip.apis import Detections
from glip.runtime.values import DEFAULT
from glip.serve.bodies import read_json, refusal_of
from glip.serve.pictures import Upload
from glip.serve.refusals import Refusal
from glip.serve.service import Service
from glip.serve.words import Words

Score = Annotated[float, Field(ge=0, le=1)]


class Options(BaseModel):
    """What a request says beside its pictures.

    Attributes:
        text: What to look for in every picture.
        texts: Instead, what to look for in each.
        threshold: Lowest score, or ``'default'`` for the model's own.
        iou: Of boxes of a class that overlap by more, the best is kept.
        max_boxes: Best boxes of a picture.
    """

    model_config = ConfigDict(extra='forbid', allow_inf_nan=False)

    text: Words | None = None
    texts: list[Words] | None = None
    threshold: Score | Literal['default'] = DEFAULT
    iou: Score | None = None
    max_boxes: int | None = Field(None, ge=1)

    @model_validator(mode='after')
    def _one_kind_of_words(self) -> Options:
        if self.text is not None and self.texts is not None:
            raise ValueError('text is for all pictures, texts for each: give one')
        return self

    def kept(self, detections: Detections) -> Detections:
        """Those of the boxes that meet the limits."""
        if self.iou is not None:
            detections = detections.nms(self.iou)
        if self.max_boxes is not None:
            detections = detections.top(self.max_boxes)
        return detections


class JsonRequest(Options):
    """A request in JSON.

    Attributes:
        image: A picture in base64, as a ``data:`` address, or its address.
        images: Instead, several of them.
    """

    image: str | None = None
    images: list[str] | None = None

    @model_validator(mode='after')
    def _one_kind_of_pictures(self) -> JsonRequest:
        if (self.image is None) == (self.images is None):
            raise ValueError('give image, or images for several')
        return self

    @property
    def pictures(self) -> list[str]:
        """One text per picture."""
        return [self.image] if self.image is not None else self.images or []


def detect_routes(service: Service) -> APIRouter:
    """The route, for an application."""
    router = APIRouter()

    @router.post('/v1/detect')
    async def detect(request: Request) -> dict[str, Any]:
        """Detections of one or several pictures."""
        if request.headers.get('content-type', '').startswith('multipart/form-data'):
            pictures, options = await _from_form(request, service)
        else:
            pictures, options = await _from_json(request, service)
        if not pictures:
            raise Refusal('there is no picture: send image')
        if options.texts is None:
            prompts = [await service.prompt_of(options.text)] * len(pictures)
        elif len(options.texts) == len(pictures):
            prompts = [await service.prompt_of(words) for words in options.texts]
        else:
            raise Refusal(f'{len(pictures)} pictures but {len(options.texts)} texts')
        detections = await service.detect(pictures, prompts, options.threshold)
        return {
            'model': service.model,
            'detections': [options.kept(each).to_dict() for each in detections],
        }

    return router


async def _from_json(
    request: Request, service: Service
) -> tuple[list[Upload], Options]:
    body = await read_json(request, JsonRequest)
    service.check_count(len(body.pictures))
    memory = request.state.memory
    pictures = []
    for number, text in enumerate(body.pictures, 1):
        upload = await service.picture(text, memory, f'picture {number}')
        pictures.append(Upload(upload.data, None, upload.pixels))
    return pictures, body


async def _from_form(
    request: Request, service: Service
) -> tuple[list[Upload], Options]:
    """Every part with a file is a picture, the others are options."""
    fields: dict[str, Any] = {}
    files: list[tuple[bytes, str | None]] = []
    try:
        async with request.form() as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files.append((await value.read(), value.filename or None))
                elif name in fields:
                    raise Refusal(f'{name} is given twice')
                else:
                    fields[name] = _field(name, value)
    except HTTPException as error:
        raise Refusal(error.detail) from error
    service.check_count(len(files))
    try:
        options = Options.model_validate(fields)
    except ValidationError as error:
        raise refusal_of(error) from error
    return [await service.upload(data, name) for data, name in files], options


def _field(name: str, value: str) -> Any:
    """Words may be JSON; ``texts`` has to be."""
    if name in ('text', 'texts') and value.lstrip().startswith(('[', '{')):
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            if name == 'texts':
                raise Refusal(f'texts: not JSON ({error})') from error
    return value
