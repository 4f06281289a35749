"""A machine learning backend of Label Studio.

Source: ``label_studio_ml/api.py`` of label-studio-ml-backend, and the client that Label
Studio has for it (``label_studio/ml/api_connector.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

import anyio
import anyio.to_thread
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request

from glip.apis import Detections
from glip.errors import GLIPError, one_line
from glip.formats.label_studio import prediction
from glip.runtime.values import DEFAULT
from glip.serve.bodies import read_json
from glip.serve.gate import RequestMemory
from glip.serve.pictures import Upload
from glip.serve.refusals import BadPicture, QueueFull, Refusal, Unavailable
from glip.serve.service import Service
from glip.text import TextPrompt

# Label Studio asks for as many tasks as are selected. What is not begun within this
# share of the time is left for its next request.
_SHARE_OF_TIME = 0.7
_LONGEST_INTERFACE = 2**20  # characters


@dataclass(frozen=True)
class Interface:
    """What a labelling interface says of rectangles.

    Attributes:
        from_name: Name of its ``RectangleLabels``.
        to_name: Name of the ``Image`` that they are drawn on.
        field: Field of a task's data that has the picture.
        words: What to look for -> label in the project. ``predicted_values`` of a
            ``Label`` are other words for it, separated by commas.
    """

    from_name: str
    to_name: str
    field: str
    words: Mapping[str, str]


class SetupRequest(BaseModel):
    """Body of ``/setup``, as far as it is used."""

    label_config: str | None = Field(None, alias='schema')


class Task(BaseModel):
    """A task, as far as it is used."""

    data: dict[str, Any]


class TasksRequest(BaseModel):
    """Body of ``/predict``, as far as it is used."""

    tasks: list[Task]
    label_config: str


def label_studio_routes(service: Service) -> APIRouter:
    """The routes, for an application."""
    router = APIRouter()

    @router.post('/setup')
    async def setup(request: Request) -> dict[str, Any]:
        """Whether the labelling interface of a project can be served."""
        body = await read_json(request, SetupRequest)
        if body.label_config:
            interface = await _interface(body.label_config)
            await service.prompt_of(dict(interface.words))
        return {'model_version': service.model}

    @router.get('/versions')
    async def versions() -> dict[str, Any]:
        """The one version."""
        return {'versions': [service.model]}

    @router.post('/predict')
    async def predict(request: Request) -> dict[str, Any]:
        """A prediction for every task."""
        body = await read_json(request, TasksRequest)
        interface = await _interface(body.label_config)
        prompt = await service.prompt_of(dict(interface.words))
        size = service.limits.pictures
        answers: list[Detections | GLIPError] = []
        last_start = anyio.current_time() + _SHARE_OF_TIME * service.limits.seconds
        for start in range(0, len(body.tasks), size):
            tasks = body.tasks[start : start + size]
            if anyio.current_time() > last_start:
                late = Unavailable('no time is left for this task', retry_after=1)
                answers += [late] * len(tasks)
            else:
                memory = request.state.memory
                answers += await _answers(service, tasks, interface, prompt, memory)
        if answers and all(isinstance(each, GLIPError) for each in answers):
            raise answers[0]
        results = [_result(each, interface, service.model) for each in answers]
        return {'results': results, 'model_version': service.model}

    return router


async def _interface(xml: str) -> Interface:
    return await anyio.to_thread.run_sync(read_interface, xml)


def read_interface(xml: str) -> Interface:
    """Find the rectangles of a labelling interface.

    Raises:
        Refusal: It has none, is too long, or is not XML.
    """
    if len(xml) > _LONGEST_INTERFACE:
        raise Refusal(f'the labelling interface has {len(xml)} characters')
    if '<!' in xml.replace('<!--', ''):
        raise Refusal('the labelling interface must not declare entities')
    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError) as error:
        raise Refusal(f'the labelling interface is not XML ({error})') from error
    for labels in root.iter('RectangleLabels'):
        from_name, to_name = labels.get('name'), labels.get('toName')
        for image in root.iter('Image'):
            field = image.get('value', '').removeprefix('$')
            words = _words(labels)
            if (
                from_name
                and to_name
                and image.get('name') == to_name
                and field
                and words
            ):
                return Interface(from_name, to_name, field, words)
    raise Refusal(
        'the labelling interface has no RectangleLabels with labels, whose toName is '
        'the name of an Image with a value'
    )


def _words(labels: ElementTree.Element) -> dict[str, str]:
    words: dict[str, str] = {}
    for label in labels.iter('Label'):
        value = label.get('value')
        if not value:
            continue
        others = label.get('predicted_values', '').split(',')
        for word in [each.strip() for each in others if each.strip()] or [value]:
            words.setdefault(word, label.get('alias') or value)
    return words


async def _answers(
    service: Service,
    tasks: list[Task],
    interface: Interface,
    prompt: TextPrompt,
    memory: RequestMemory,
) -> list[Any]:
    """Detections of each task, or why there are none."""
    before = memory.bytes
    pictures = [await _picture(service, task, interface, memory) for task in tasks]
    uploads = [each for each in pictures if isinstance(each, Upload)]
    try:
        answers = await service.detect_each(uploads, [prompt] * len(uploads), DEFAULT)
    except QueueFull as error:
        return [error] * len(tasks)
    finally:
        memory.release(before)
    detections = iter(answers)
    return [next(detections) if isinstance(e, Upload) else e for e in pictures]


async def _picture(
    service: Service, task: Task, interface: Interface, memory: RequestMemory
) -> Upload | GLIPError:
    """The picture of a task; a task without one costs only itself."""
    value = task.data.get(interface.field)
    try:
        if not isinstance(value, str) or not value:
            raise BadPicture(f'a task has no picture in {interface.field}')
        if value.startswith('/'):
            data = await service.fetcher(value, memory.add)
            return await service.upload(data, value)
        picture = await service.picture(value, memory, value[:60])
        return replace(picture, name=None if value.startswith('data:') else value)
    except GLIPError as error:
        return error


def _result(
    answer: Detections | GLIPError, interface: Interface, model: str
) -> dict[str, Any]:
    """A prediction; without ``result`` Label Studio passes over the task."""
    if isinstance(answer, GLIPError):
        return {'error': one_line(answer), 'model_version': model}
    return prediction(
        answer,
        answer.image or '',
        model_version=model,
        from_name=interface.from_name,
        to_name=interface.to_name,
    )
