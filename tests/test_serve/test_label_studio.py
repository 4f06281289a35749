"""The machine learning backend, as Label Studio's client talks to it."""

from __future__ import annotations

import numpy as np
import pytest
from sent_pictures import base64_of, png

from glip.serve.label_studio import read_interface
from glip.serve.limits import Limits
from glip.serve.refusals import Refusal

INTERFACE = """
<View>
  <!-- things -->
  <Image name="photo" value="$picture"/>
  <RectangleLabels name="thing" toName="photo">
    <Label value="Red thing" predicted_values="red, scarlet" background="#f00"/>
    <Label value="blue"/>
  </RectangleLabels>
</View>
"""


def uri(data):
    return 'data:image/png;base64,' + base64_of(data)


def ask(client, *values, interface=INTERFACE):
    """What Label Studio sends for tasks with these pictures."""
    body = {
        'tasks': [
            {'id': n, 'project': 1, 'data': {'picture': value}, 'annotations': []}
            for n, value in enumerate(values)
        ],
        'project': '1.1700000000',
        'label_config': interface,
        'params': {'login': None, 'password': None, 'context': None},
    }
    return client.post('/predict', json=body)


def test_connecting(client_of, colours):
    client = client_of(colours, model='glip-nano')
    assert client.get('/health').json()['status'] == 'UP'
    body = {
        'project': '1.1700000000',
        'schema': INTERFACE,
        'hostname': 'http://localhost:8080',
        'access_token': 'token',
        'extra_params': None,
    }
    answer = client.post('/setup', json=body)
    assert answer.json() == {'model_version': 'glip-nano'}
    assert client.get('/versions').json() == {'versions': ['glip-nano']}
    assert client.post('/setup', json=body | {'schema': '<View/>'}).status_code == 422


def test_the_interface():
    interface = read_interface(INTERFACE)
    assert (interface.from_name, interface.to_name) == ('thing', 'photo')
    assert interface.field == 'picture'
    assert interface.words == {
        'red': 'Red thing',
        'scarlet': 'Red thing',
        'blue': 'blue',
    }


def test_predictions(client):
    pictures = png(red=(0, 0, 60, 80)), png(width=200, blue=(100, 0, 200, 80))
    answer = ask(client, *map(uri, pictures))
    assert answer.status_code == 200
    body = answer.json()
    assert body['model_version'] == 'glip' and len(body['results']) == 2
    boxes = []
    for prediction in body['results']:
        assert prediction['model_version'] == 'glip' and 0 < prediction['score'] <= 1
        (box,) = prediction['result']
        assert box['type'] == 'rectanglelabels' and box['id']
        assert (box['from_name'], box['to_name']) == ('thing', 'photo')
        boxes.append(box)
    first, second = boxes
    assert first['value']['rectanglelabels'] == ['Red thing']
    assert second['value']['rectanglelabels'] == ['blue']
    assert (second['original_width'], second['original_height']) == (200, 80)
    corner = [second['value'][key] for key in ('x', 'y', 'width', 'height')]
    assert np.allclose(corner, [50, 0, 50, 100], atol=2)


def test_predictions_are_what_the_kit_of_label_studio_takes(client):
    objects = pytest.importorskip('label_studio_sdk.label_interface.objects')
    from label_studio_sdk.label_interface import LabelInterface

    (prediction,) = ask(client, uri(png())).json()['results']
    assert objects.PredictionValue(**prediction).model_version == 'glip'
    assert LabelInterface(INTERFACE).validate_prediction(prediction)


def test_a_task_without_picture_costs_only_itself(client):
    values = [uri(png()), uri(b'no picture'), None, '/data/upload/1/a.png', 3]
    results = ask(client, *values).json()['results']
    assert [('result' in each) for each in results] == [True] + [False] * 4
    assert all(each['error'] for each in results[1:])
    answer = ask(client, *values[1:])
    assert answer.status_code == 422 and list(answer.json()) == ['error']


def test_more_tasks_than_pictures_of_a_request(client_of, colours):
    client = client_of(colours, limits=Limits(pictures=2))
    results = ask(client, *[uri(png())] * 5).json()['results']
    assert [len(each['result']) for each in results] == [1] * 5


@pytest.mark.parametrize(
    'interface',
    [
        '',
        'no xml',
        '<View/>',
        '<View><Image name="a" value="$b"/></View>',
        INTERFACE.replace('toName="photo"', 'toName="other"'),
        INTERFACE.replace('<Label', '<Other'),
        '<!DOCTYPE v [<!ENTITY a "red">]>' + INTERFACE,
        INTERFACE.replace('<View>', '<View' + ' a="1"' * 3 + '>'),
    ],
)
def test_interfaces_that_are_none(client, interface):
    with pytest.raises(Refusal):
        read_interface(interface)
    answer = ask(client, uri(png()), interface=interface)
    assert answer.status_code == 422 and list(answer.json()) == ['error']


@pytest.mark.parametrize('body', [{}, {'tasks': 3}, {'tasks': [{}]}, [], 'text'])
def test_bodies_that_are_none(client, body):
    assert client.post('/predict', json=body).status_code == 422
    assert client.post('/predict', json=body).json()['error']


def test_no_tasks(client):
    assert ask(client).json() == {'results': [], 'model_version': 'glip'}
