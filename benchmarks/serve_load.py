"""Many clients at once, good and bad: every answer is checked against a direct call.

    python -m benchmarks.serve_load --clients 32 --seconds 60

starts ``glip serve`` with small limits, lets the clients ask for so long, and prints
how many answers of each kind came, whether one was wrong, latencies, throughput and the
memory of the server.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

import glip

_DEMO = Path(__file__).resolve().parent.parent / 'demo'
_WORDS = ('person. dog. horse', 'bench. car', 'a red car')
# Kinds of requests, and how often each comes; all but the first are bad.
_KINDS = {
    'good': 16,
    'no picture': 1,
    'too many bytes': 1,
    'too many pixels': 1,
    'too many words': 1,
    'no JSON': 1,
    'slow': 1,
    'left': 1,
}
_MOST_BYTES, _MOST_PIXELS = 2, 2  # MiB, millions
_EXPECTED = {
    'good': {200, 429},
    'no picture': {422},
    'too many bytes': {413},
    'too many pixels': {413},
    'too many words': {422},
    'no JSON': {422},
    'slow': {200, 429},
    'left': {0},
}


@dataclass
class Report:
    """What all clients saw.

    Attributes:
        answers: Statuses by kind of request.
        seconds: Latency of each good answer.
        wrong: Answers that are not what they should be.
        memory: MiB of the server, over time.
    """

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


def main(argv: list[str] | None = None) -> int:
    """Run the load; 1 if an answer was wrong or the server died."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', default='glip-nano')
    parser.add_argument('--clients', type=int, default=32)
    parser.add_argument('--seconds', type=float, default=60)
    parser.add_argument('--port', type=int, default=8765)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(argv)
    pictures = [path.read_bytes() for path in sorted(_DEMO.glob('*.jpg'))]
    detector = glip.load(args.model, device='cpu')
    expected = [
        [detector(picture, words).to_dict() for words in _WORDS] for picture in pictures
    ]
    command = [sys.executable, '-m', 'glip', 'serve', '--model', args.model]
    command += ['--port', str(args.port), '--device', 'cpu', '--queue', '24']
    command += ['--max-body', str(_MOST_BYTES), '--max-pixels', str(_MOST_PIXELS)]
    process = subprocess.Popen(command)
    try:
        report = asyncio.run(_load(args, process, pictures, expected))
        died = process.poll() is not None
    finally:
        process.terminate()
        process.wait()
    _print(report, args, died)
    return 1 if died or report.wrong else 0


async def _load(
    args: argparse.Namespace, process: Any, pictures: list[bytes], expected: Any
) -> Report:
    report = Report()
    address = f'http://127.0.0.1:{args.port}'
    async with httpx.AsyncClient(base_url=address, timeout=120) as client:
        await _started(client, process)
        end = time.monotonic() + args.seconds
        clients = [
            _client(
                random.Random(args.seed + number),
                client,
                pictures,
                expected,
                report,
                end,
            )
            for number in range(args.clients)
        ]
        watcher = asyncio.create_task(_watch(process.pid, report))
        await asyncio.gather(*clients)
        await asyncio.sleep(2)
        watcher.cancel()
    return report


async def _started(client: httpx.AsyncClient, process: Any) -> None:
    while process.poll() is None:
        try:
            if (await client.get('/health')).status_code == 200:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.2)
    raise SystemExit('the server did not start')


async def _client(
    rng: random.Random,
    client: httpx.AsyncClient,
    pictures: list[bytes],
    expected: Any,
    report: Report,
    end: float,
) -> None:
    while time.monotonic() < end:
        (kind,) = rng.choices(list(_KINDS), list(_KINDS.values()))
        number, asked = rng.randrange(len(pictures)), rng.randrange(len(_WORDS))
        files = {'image': pictures[number]}
        data = {'text': _WORDS[asked]}
        started = time.monotonic()
        try:
            if kind == 'left':
                await _leave(client.base_url.port, pictures[number])
                status, answer = 0, {}
            else:
                request = _request(kind, rng, files, data)
                response = await client.post('/v1/detect', **request)
                status, answer = response.status_code, response.json()
        except (httpx.TransportError, ValueError) as error:
            report.wrong.append(f'{kind}: {type(error).__name__} {error}')
            continue
        report.answers[kind, status] += 1
        if status not in _EXPECTED[kind]:
            report.wrong.append(f'{kind}: {status} {answer}')
        elif status == 200:
            report.seconds.append(time.monotonic() - started)
            (detections,) = answer['detections']
            if detections | {'image': None} != expected[number][asked]:
                report.wrong.append(f'picture {number}, {_WORDS[asked]}')
        elif status == 429:
            await asyncio.sleep(float(response.headers['Retry-After']))


def _request(
    kind: str, rng: random.Random, files: dict[str, bytes], data: dict[str, str]
) -> dict[str, Any]:
    """Arguments of the client's call."""
    if kind == 'no picture':
        files = {'image': rng.randbytes(rng.randrange(1, 100_000))}
    elif kind == 'too many bytes':
        files = {'image': bytes((_MOST_BYTES + 1) * 2**20)}
    elif kind == 'too many pixels':
        files = {'image': _large()}
    elif kind == 'too many words':
        data = {'text': '. '.join(f'thing {n}' for n in range(10_000))}
    elif kind == 'no JSON':
        return {
            'content': b'{"image": ',
            'headers': {'Content-Type': 'application/json'},
        }
    elif kind == 'slow':
        request = httpx.Request('POST', 'http://a', files=files, data=data)
        body = request.read()
        return {'content': _slowly(body), 'headers': _types(request)}
    return {'files': files, 'data': data}


def _types(request: httpx.Request) -> dict[str, str]:
    return {'Content-Type': request.headers['Content-Type']}


async def _slowly(body: bytes) -> Any:
    size = max(1, len(body) // 10)
    for start in range(0, len(body), size):
        yield body[start : start + size]
        await asyncio.sleep(0.2)


async def _leave(port: int | None, picture: bytes) -> None:
    """Send a request and go away before its answer."""
    request = httpx.Request(
        'POST', 'http://a/v1/detect', files={'image': picture}, data={'text': 'dog'}
    )
    body = request.read()
    head = ''.join(f'{name}: {value}\r\n' for name, value in request.headers.items())
    _, writer = await asyncio.open_connection('127.0.0.1', port)
    writer.write(f'POST /v1/detect HTTP/1.1\r\n{head}\r\n'.encode() + body)
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.get_extra_info('socket').setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, b'\x01\0\0\0\0\0\0\0'
    )
    writer.close()


def _large() -> bytes:
    """A small file of many pixels."""
    file = io.BytesIO()
    Image.new('1', (3000, 3000)).save(file, 'PNG')
    return file.getvalue()


async def _watch(pid: int, report: Report) -> None:
    while True:
        text = Path(f'/proc/{pid}/status').read_text()
        report.memory.append(int(re.search(r'VmRSS:\s+(\d+)', text)[1]) / 1024)
        await asyncio.sleep(0.5)


def _print(report: Report, args: argparse.Namespace, died: bool) -> None:
    memory = report.memory or [float('nan')]
    good = len(report.seconds)
    print(f'{args.clients} clients for {args.seconds:g} s, {args.model}')
    for (kind, status), count in sorted(report.answers.items()):
        print(f'  {kind}: {count} answered {status or "nothing"}')
    print(f'wrong answers: {len(report.wrong)}, server died: {died}')
    print('\n'.join(report.wrong[:10]))
    if good:
        shares = np.percentile(report.seconds, [50, 90, 99])
        print(
            'latency of detections: p50 {:.2f} s, p90 {:.2f} s, p99 {:.2f} s'.format(
                *shares
            )
        )
        print(f'detections: {good / args.seconds:.1f} per second')
    print(
        f'memory of the server: {memory[0]:.0f} MiB at the start, {max(memory):.0f} at '
        f'most, {memory[-1]:.0f} at the end'
    )
    print(json.dumps({'wrong': len(report.wrong), 'died': died, 'detections': good}))


if __name__ == '__main__':
    sys.exit(main())
