"""The routes of X-AnyLabeling's remote server, as its client uses them."""

from __future__ import annotations

import numpy as np
import pytest
from sent_pictures import base64_of, png


def ask(client, model='glip', **params):
    body = {
        'model': model,
        'image': 'data:image/png;base64,' + base64_of(png()),
        'params': {'epsilon_factor': 0.001, 'iou_threshold': 0.0} | params,
    }
    return client.post('/v1/predict', json=body, headers={'Token': ''})


def test_models(client_of, colours):
    answer = client_of(colours, model='glip-nano').get('/v1/models').json()
    assert answer['success'] is True
    ((name, model),) = answer['data'].items()
    assert name == 'glip-nano' and model['batch_processing_mode'] == 'text_prompt'
    widgets = {widget['name']: widget['value'] for widget in model['widgets']}
    assert {'edit_text', 'button_send', 'edit_conf'} <= set(widgets)
    assert widgets['edit_conf'] == colours.default_threshold


def test_predict(client):
    answer = ask(client, text_prompt='red', conf_threshold=0.0)
    assert answer.status_code == 200
    body = answer.json()
    assert body['success'] is True and body['data']['description'] == ''
    (shape,) = body['data']['shapes']
    points = [[16, 16], [80, 16], [80, 64], [16, 64]]
    assert np.allclose(shape.pop('points'), points, atol=1)
    assert 0 < shape.pop('score') <= 1
    assert shape == {
        'label': 'red',
        'shape_type': 'rectangle',
        'attributes': {},
        'description': None,
        'difficult': False,
        'direction': 0,
        'flags': None,
        'group_id': None,
        'kie_linking': [],
    }


def test_names_between_dots(client):
    """``person.car`` is two names there."""
    (shape,) = ask(client, text_prompt='blue.red').json()['data']['shapes']
    assert shape['label'] == 'red'


def test_threshold(client):
    assert ask(client, text_prompt='red', conf_threshold=1.0).json()['data'] == {
        'shapes': [],
        'description': '',
    }


@pytest.mark.parametrize(
    'body, status, code',
    [
        ({'model': 'other'}, 404, 'MODEL_NOT_FOUND'),
        ({'image': base64_of(b'no picture')}, 422, 'INVALID_IMAGE'),
        ({'params': {}}, 422, 'INVALID_REQUEST'),
        ({'params': {'text_prompt': ''}}, 422, 'INVALID_REQUEST'),
        ({'params': {'text_prompt': 'red', 'conf_threshold': 2}}, 422, None),
        ({'image': None}, 422, 'INVALID_REQUEST'),
    ],
)
def test_errors(client, body, status, code):
    usual = {'model': 'glip', 'image': base64_of(png()), 'params': {'text_prompt': 'a'}}
    answer = client.post('/v1/predict', json=usual | body)
    assert answer.status_code == status
    error = answer.json()['error']
    assert answer.json()['success'] is False and error['message']
    assert code is None or error['code'] == code


def test_the_key_is_its_token(client_of, colours):
    client = client_of(colours, key='secret')
    answer = client.get('/v1/models', headers={'Token': 'wrong'})
    assert answer.status_code == 401
    assert answer.json()['error']['code'] == 'UNAUTHORIZED'
    assert client.get('/v1/models', headers={'Token': 'secret'}).status_code == 200
