"""``POST /v1/detect`` gives what a call of the detector gives."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image
from sent_pictures import base64_of, encoded, png

from glip.errors import PromptError

WORDS = 'dog. red bicycle. car'


def noise(seed, height=90, width=140):
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def direct(detector, data, words, **options):
    """What calling the detector gives, as plain lists; without the name."""
    picture = Image.open(io.BytesIO(data))
    return detector(picture, words, **options).to_dict() | {'image': None}


def test_a_file(client, colours):
    data = png()
    answer = client.post(
        '/v1/detect', files={'image': ('a.png', data)}, data={'text': 'red. blue'}
    )
    assert answer.status_code == 200
    (detections,) = answer.json()['detections']
    assert detections['image'] == 'a.png'
    assert detections | {'image': None} == direct(colours, data, 'red. blue')
    assert detections['label_names'] == ['red'] and detections['size'] == [120, 80]
    assert np.allclose(detections['bboxes'], [[16, 16, 80, 64]], atol=1)


def test_several_files_and_options(client_of, tiny):
    client = client_of(tiny)
    pictures = [encoded(noise(seed)) for seed in range(3)]
    every = tiny(Image.open(io.BytesIO(pictures[0])), ['dog', 'car'])
    score = float(every.scores[7])
    answer = client.post(
        '/v1/detect',
        files=[('image', (f'{n}.png', data)) for n, data in enumerate(pictures)],
        data={'text': '["dog", "car"]', 'threshold': str(score), 'max_boxes': '5'},
    )
    assert answer.status_code == 200
    results = answer.json()['detections']
    assert [result['image'] for result in results] == ['0.png', '1.png', '2.png']
    for result, data in zip(results, pictures):
        expected = tiny(Image.open(io.BytesIO(data)), ['dog', 'car'], threshold=score)
        assert result | {'image': None} == expected.top(5).to_dict()
    assert len(every.above(score)) == 8 and len(results[0]['bboxes']) == 5


@pytest.mark.parametrize('head', ['', 'data:image/png;base64,'])
def test_json(client_of, tiny, head):
    client = client_of(tiny)
    data = encoded(noise(0))
    body = {'image': head + base64_of(data), 'text': WORDS}
    answer = client.post('/v1/detect', json=body)
    assert answer.json()['detections'] == [direct(tiny, data, WORDS)]


def test_words_for_each_picture(client, colours):
    pictures = [png(red=(0, 0, 60, 60)), png(blue=(0, 0, 60, 60))]
    texts = [['red'], {'blue': 'sky'}]
    body = {'images': [base64_of(data) for data in pictures], 'texts': texts}
    results = client.post('/v1/detect', json=body).json()['detections']
    assert results == [direct(colours, d, t) for d, t in zip(pictures, texts)]
    assert [each['label_names'] for each in results] == [['red'], ['sky']]


def test_lines_in_base64_and_orientation(client, colours):
    picture = Image.open(io.BytesIO(png(120, 80, red=(0, 0, 60, 40))))
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    file = io.BytesIO()
    picture.save(file, 'JPEG', exif=exif, quality=95)
    text = base64_of(file.getvalue())
    lines = '\n'.join(text[i : i + 76] for i in range(0, len(text), 76))
    body = {'image': lines, 'text': 'red'}
    (result,) = client.post('/v1/detect', json=body).json()['detections']
    assert result == direct(colours, file.getvalue(), 'red')
    assert result['size'] == [80, 120]


def test_words_of_the_server(client_of, colours):
    from glip.text import parse_text

    client = client_of(colours, prompt=parse_text('red. blue'))
    files = {'image': png()}
    (usual,) = client.post('/v1/detect', files=files).json()['detections']
    assert usual['label_names'] == ['red']
    (asked,) = client.post('/v1/detect', files=files, data={'text': 'blue'}).json()[
        'detections'
    ]
    assert asked['label_names'] == []


def test_requests_of_many_clients_share_batches_and_keep_their_answers(client_of, tiny):
    """Pictures with the same words go together; each answer is that of a call."""
    client = client_of(tiny, batch_size=4, window=0.2)
    pictures = [encoded(noise(seed)) for seed in range(8)]
    words = ['dog. car', 'cat'] * 4
    answers = [None] * 8

    def ask(number):
        body = {'image': base64_of(pictures[number]), 'text': words[number]}
        answers[number] = client.post('/v1/detect', json=body).json()

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer, data, text in zip(answers, pictures, words):
        assert answer['detections'] == [direct(tiny, data, text)]
    lines = client.get('/metrics').text.splitlines()
    values = dict(line.rsplit(' ', 1) for line in lines if not line.startswith('#'))
    assert float(values['glip_pictures_total']) == 8
    assert float(values['glip_batch_pictures_count']) < 8


@pytest.mark.parametrize(
    'body',
    [
        {'image': 'AAAA', 'text': 'red'},
        {'image': 'no base64!', 'text': 'red'},
        {'image': 'data:image/png,abc', 'text': 'red'},
        {'image': '', 'text': 'red'},
        {'image': '/etc/passwd', 'text': 'red'},
        {'image': 'http://example.org/a.png', 'text': 'red'},
        {'image': 'PNG'},
        {'image': 'PNG', 'text': ''},
        {'image': 'PNG', 'text': []},
        {'image': 'PNG', 'text': ['']},
        {'image': 'PNG', 'text': {}},
        {'image': 'PNG', 'text': 3},
        {'image': 'PNG', 'text': '$: no such data set'},
        {'image': 'PNG', 'text': 'red', 'threshold': 2},
        {'image': 'PNG', 'text': 'red', 'threshold': 'high'},
        {'image': 'PNG', 'text': 'red', 'threshold': None},
        {'image': 'PNG', 'text': 'red', 'max_boxes': 0},
        {'image': 'PNG', 'text': 'red', 'colour': 'red'},
        {'image': 'PNG', 'text': 'red', 'texts': ['red']},
        {'images': ['PNG'], 'texts': ['red', 'blue']},
        {'image': 'PNG', 'images': ['PNG'], 'text': 'red'},
        {'images': [], 'text': 'red'},
        {'text': 'red'},
        {},
        [],
        None,
        'text',
    ],
)
def test_bad_requests_are_one_line(client, body):
    text = base64_of(png())
    if isinstance(body, dict):
        body = {k: text if v == 'PNG' else v for k, v in body.items()}
        if body.get('images') == ['PNG']:
            body['images'] = [text]
    answer = client.post('/v1/detect', json=body)
    assert answer.status_code == 422
    assert list(answer.json()) == ['error']
    assert answer.json()['error'].strip() and '\n' not in answer.json()['error']


@pytest.mark.parametrize(
    'content, kind',
    [
        (b'', 'application/json'),
        (b'{"image": ', 'application/json'),
        (b'[' * 100_000, 'application/json'),
        (b'\xff\xfe', 'application/json'),
        (b'text=red', 'application/x-www-form-urlencoded'),
        (b'no parts', 'multipart/form-data'),
        (b'no parts', 'multipart/form-data; boundary=x'),
        (b'--x\r\nbad head\r\n\r\n--x--', 'multipart/form-data; boundary=x'),
    ],
)
def test_bodies_of_other_kinds(client, content, kind):
    answer = client.post('/v1/detect', content=content, headers={'Content-Type': kind})
    assert answer.status_code == 422 and list(answer.json()) == ['error']


@pytest.mark.parametrize(
    'files, data',
    [
        ({'image': b'no picture'}, {'text': 'red'}),
        (
            {'image': b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n'},
            {'text': 'a'},
        ),
        ({'image': b''}, {'text': 'red'}),
        ({'image': png()[:60]}, {'text': 'red'}),
        ({'image': png()[:-200]}, {'text': 'red'}),
        ({'image': png()}, {'text': 'red', 'threshold': 'x'}),
        ({'image': png()}, {'texts': '["red"'}),
        ({'image': png()}, {'text': ['red', 'blue']}),
        ({'image': png()}, {}),
    ],
)
def test_bad_forms(client, files, data):
    answer = client.post('/v1/detect', files=files, data=data)
    assert answer.status_code == 422 and list(answer.json()) == ['error']


def test_one_bad_picture_is_named(client):
    files = [('image', ('good.png', png())), ('image', ('bad.png', b'bad'))]
    answer = client.post('/v1/detect', files=files, data={'text': 'red'})
    assert answer.status_code == 422 and 'bad.png' in answer.json()['error']


def test_other_routes_and_methods(client):
    for answer, status in (
        (client.get('/nothing'), 404),
        (client.get('/v1/detect'), 405),
        (client.get('/docs'), 404),
    ):
        assert answer.status_code == status and list(answer.json()) == ['error']


def test_a_model_that_fails_costs_one_request(client_of, colours, monkeypatch):
    client = client_of(colours)
    predict = type(colours)._predict

    def fail(self, prepared):
        if any(item['data_samples'].text.names == ('green',) for item in prepared):
            raise RuntimeError('out of something')
        return predict(self, prepared)

    monkeypatch.setattr(type(colours), '_predict', fail)
    body = {'images': [base64_of(png())] * 2}
    assert client.post('/v1/detect', json=body | {'text': 'green'}).status_code == 500
    assert client.post('/v1/detect', json=body | {'text': 'red'}).status_code == 200


def test_a_prompt_that_is_too_long_for_the_model(client_of, tiny):
    words = ' '.join(f'word{n}' for n in range(300)) + '. other'
    body = {'image': base64_of(encoded(noise(0))), 'text': words}
    with pytest.raises(PromptError):
        tiny(noise(0), words)
    assert client_of(tiny).post('/v1/detect', json=body).status_code == 422
