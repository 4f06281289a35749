"""Limits, the API key, and requests that nobody waits for."""

from __future__ import annotations

import json
import threading
import zlib

import numpy as np
import pytest
from sent_pictures import base64_of, encoded, png

from glip.errors import GLIPError
from glip.serve.limits import Limits


@pytest.fixture
def limited(client_of, colours):
    """A client of a server with small limits."""
    return client_of(
        colours,
        limits=Limits(
            body=100_000,
            memory=150_000,
            pixels=20_000,
            pictures=2,
            classes=3,
            characters=40,
            queue=2,
        ),
    )


def status(answer):
    assert list(answer.json()) == ['error'] and '\n' not in answer.json()['error']
    return answer.status_code


def test_bytes(limited):
    body = {'image': base64_of(b'0' * 100_000), 'text': 'red'}
    assert status(limited.post('/v1/detect', json=body)) == 413
    parts = (json.dumps(body).encode()[i : i + 9999] for i in range(0, 140_000, 9999))
    assert status(limited.post('/v1/detect', content=parts)) == 413  # without a length
    length = {'Content-Length': str(10**12)}
    assert status(limited.post('/v1/detect', content=b'', headers=length)) == 413
    files = {'image': b'0' * 100_000}
    assert status(limited.post('/v1/detect', files=files, data={'text': 'a'})) == 413
    small = {'image': base64_of(png()), 'text': 'red'}
    for _ in range(20):  # what was refused holds nothing
        assert limited.post('/v1/detect', json=small).status_code == 200


def test_pixels_are_counted_before_they_are_decoded(limited, monkeypatch):
    from glip.serve.pictures import Upload

    def decode(self):
        raise AssertionError('decoded')

    monkeypatch.setattr(Upload, 'decode', decode)
    data = {'text': 'red'}
    large = encoded(np.zeros((150, 150, 3), np.uint8))
    answer = limited.post('/v1/detect', files={'image': large}, data=data)
    assert status(answer) == 413
    head = b'IHDR' + (60_000).to_bytes(4, 'big') * 2 + b'\x08\x02\x00\x00\x00'
    bomb = b'\x89PNG\r\n\x1a\n\x00\x00\x00\x0d' + head
    bomb += zlib.crc32(head).to_bytes(4, 'big') + b'\x00\x00\x00\x0aIDAT' + b'0' * 14
    answer = limited.post('/v1/detect', files={'image': bomb}, data=data)
    assert status(answer) == 413


def test_pictures_words_and_characters(limited):
    image = base64_of(png())

    def ask(**body):
        return status(limited.post('/v1/detect', json=body))

    assert ask(images=[image] * 3, text='red') == 413
    files = [('image', png())] * 3
    assert status(limited.post('/v1/detect', files=files, data={'text': 'a'})) == 413
    assert ask(image=image, text=['a', 'b', 'c', 'd']) == 422
    assert ask(image=image, text='a. b. c. d') == 422
    assert ask(image=image, text='$: coco') == 422
    assert ask(image=image, text='dog ' * 20) == 422
    assert ask(image=image, text={'dog' * 10: 'cat' * 10}) == 422
    assert ask(image=image, texts=['red', 'a. b. c. d']) == 422


def test_ten_thousand_words(client):
    words = [f'thing {number}' for number in range(10_000)]
    for text in (words, '. '.join(words)):
        body = {'image': base64_of(png()), 'text': text}
        assert status(client.post('/v1/detect', json=body)) == 422


class Blocked:
    """A detector that waits until it is told to go on, and remembers its batches."""

    default_threshold = 0.5
    words = None

    def __init__(self, detector):
        self.detector = detector
        self.go_on = threading.Event()
        self.entered = threading.Event()
        self.seen = []

    def __call__(self, pictures, prompt, **options):
        self.seen.append((len(pictures), prompt.names))
        self.entered.set()
        assert self.go_on.wait(30)
        return self.detector(pictures, prompt, **options)


@pytest.fixture
def blocked(colours):
    detector = Blocked(colours)
    yield detector
    detector.go_on.set()


def ask_in_threads(client, count, **body):
    answers = []
    body = {'image': base64_of(png())} | body

    def ask():
        answers.append(client.post('/v1/detect', json=body))

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


def wait_for_queue(client, length):
    for _ in range(3000):
        if client.get('/health').json()['queue'] == length:
            return
    raise AssertionError('the queue never had that length')


def test_a_full_queue(client_of, blocked):
    client = client_of(blocked, limits=Limits(queue=2, pictures=2))
    first, _ = ask_in_threads(client, 1, text='red')
    assert blocked.entered.wait(30)
    waiting, answers = ask_in_threads(client, 2, text='red')
    wait_for_queue(client, 2)
    assert client.get('/health/ready').status_code == 503
    assert client.get('/health/live').status_code == 200
    answer = client.post('/v1/detect', json={'image': base64_of(png()), 'text': 'red'})
    assert status(answer) == 429 and int(answer.headers['Retry-After']) >= 1
    blocked.go_on.set()
    for thread in first + waiting:
        thread.join()
    assert [each.status_code for each in answers] == [200, 200]
    assert client.get('/health/ready').status_code == 200
    assert blocked.seen == [(1, ('red',)), (2, ('red',))]


def test_a_request_has_so_much_time_and_leaves_the_queue(client_of, blocked):
    client = client_of(blocked, limits=Limits(seconds=0.5))
    first, first_answers = ask_in_threads(client, 1, text='red')
    assert blocked.entered.wait(30)
    second, answers = ask_in_threads(client, 1, text='blue')
    for thread in first + second:
        thread.join()
    for answer in answers + first_answers:
        assert status(answer) == 503 and 'Retry-After' in answer.headers
    blocked.go_on.set()
    wait_for_queue(client, 0)
    body = {'image': base64_of(png()), 'text': 'green'}
    client.post('/v1/detect', json=body)
    # Nobody waited for blue any more, so the model never saw it.
    assert [names for _, names in blocked.seen] == [('red',), ('green',)]


@pytest.mark.parametrize(
    'headers',
    [
        {'Authorization': 'Bearer open-sesame'},
        {'Token': 'open-sesame'},
        {'X-API-Key': 'open-sesame'},
        {'Authorization': 'Basic ' + base64_of(b'anyone:open-sesame')},
    ],
)
def test_the_key(client_of, colours, headers):
    client = client_of(colours, key='open-sesame')
    assert client.get('/v1/models', headers=headers).status_code == 200
    assert client.get('/metrics', headers=headers).status_code == 200


@pytest.mark.parametrize(
    'headers',
    [
        {},
        {'Authorization': 'Bearer open'},
        {'Authorization': 'Bearer '},
        {'Authorization': 'Basic !!!'},
        {'Authorization': 'Basic ' + base64_of(b'open-sesame')},
        {'Token': 'open-sesame2'},
        {'Token': 'ö'.encode()},
    ],
)
def test_a_wrong_key(client_of, colours, headers):
    client = client_of(colours, key='open-sesame')
    body = {'image': base64_of(png()), 'text': 'red'}
    answer = client.post('/v1/detect', json=body, headers=headers)
    assert status(answer) == 401
    assert client.get('/metrics', headers=headers).status_code == 401
    assert client.get('/health', headers=headers).status_code == 200


def test_limits_that_are_none():
    for wrong in (
        {'body': 0},
        {'seconds': float('nan')},
        {'queue': -1},
        {'queue': 2, 'pictures': 3},
        {'memory': 1000},
    ):
        with pytest.raises(GLIPError):
            Limits(**wrong)
