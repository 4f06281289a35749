"""Many clients at once, good and bad: every answer is checked against a direct call.

    python -m benchmarks.serve_load --clients 32 --seconds 60

starts ``glip serve`` with small limits, lets the clients ask for so long, and prints
how many answers of each kind came, whether one was wrong, latencies, throughput and the
memory of the server.
"""

import argparse
import asyncio
import io
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

import glip
from glip.errors import GLIPError
from glip.runtime.command import command

_DEMO = Path(__file__).resolve().parent.parent / 'demo'
_WORDS = ('person. dog. horse', 'bench. car', 'a red car')
# How often each kind of request comes, and its statuses (0: none); the first is good.
_KINDS = {
    'good': (16, {200, 429}),
    'no picture': (1, {422}),
    'too many bytes': (1, {413}),
    'too many pixels': (1, {413}),
    'too many words': (1, {422}),
    'no JSON': (1, {422}),
    'slow': (1, {200, 429}),
    'left': (1, {0, 200, 429}),
}
_MOST_BYTES, _MOST_PIXELS = 2, 2  # MiB, millions


@dataclass
class Load:
    """What all clients ask for, and what they see.

    Attributes:
        client: Of the server.
        pictures: Files.
        expected: What is found in each picture for each of the words.
        answers: Statuses by kind of request.
        seconds: Latency of each good answer.
        wrong: Answers that are not what they should be.
        memory: MiB of the server, over time.
    """

    client: httpx.AsyncClient
    pictures: list[bytes]
    expected: list[list[dict]]
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    async def ask(self, rng: random.Random, end: float) -> None:
        """Ask one question after the other until a moment of ``time.monotonic``."""
        weights = [weight for weight, _ in _KINDS.values()]
        while time.monotonic() < end:
            (kind,) = rng.choices(list(_KINDS), weights)
            number, asked = rng.randrange(len(self.pictures)), rng.randrange(3)
            request = _request(kind, rng, self.pictures[number], _WORDS[asked])
            started = time.monotonic()
            try:
                response = await self.client.post('/v1/detect', **request)
                status, answer = response.status_code, response.json()
            except (httpx.TransportError, ValueError) as error:
                if kind != 'left' or not isinstance(error, httpx.ReadTimeout):
                    self.wrong.append(f'{kind}: {type(error).__name__} {error}')
                    continue
                status, answer = 0, {}
            self.answers[kind, status] += 1
            if status not in _KINDS[kind][1]:
                self.wrong.append(f'{kind}: {status} {answer}')
            elif status == 200:
                self.seconds.append(time.monotonic() - started)
                (detections,) = answer['detections']
                if detections | {'image': None} != self.expected[number][asked]:
                    self.wrong.append(f'picture {number}, {_WORDS[asked]}')
            elif status == 429:
                await asyncio.sleep(float(response.headers['Retry-After']))

    async def watch(self, pid: int) -> None:
        """Note the memory of a process."""
        while True:
            text = Path(f'/proc/{pid}/status').read_text()
            self.memory.append(int(re.search(r'VmRSS:\s+(\d+)', text)[1]) / 1024)
            await asyncio.sleep(0.5)


def _request(
    kind: str, rng: random.Random, picture: bytes, words: str
) -> dict[str, Any]:
    """Arguments of the client's call."""
    form: dict[str, Any] = {'files': {'image': picture}, 'data': {'text': words}}
    if kind == 'no picture':
        form['files'] = {'image': rng.randbytes(rng.randrange(1, 100_000))}
    elif kind == 'too many bytes':
        form['files'] = {'image': bytes((_MOST_BYTES + 1) * 2**20)}
    elif kind == 'too many pixels':
        file = io.BytesIO()
        Image.new('1', (3000, 3000)).save(file, 'PNG')
        form['files'] = {'image': file.getvalue()}
    elif kind == 'too many words':
        form['data'] = {'text': '. '.join(f'thing {n}' for n in range(10_000))}
    elif kind == 'no JSON':
        json_type = {'Content-Type': 'application/json'}
        return {'content': b'{"image": ', 'headers': json_type}
    elif kind == 'slow':
        request = httpx.Request('POST', 'http://a', **form)
        form_type = {'Content-Type': request.headers['Content-Type']}
        return {'content': _slowly(request.read()), 'headers': form_type}
    elif kind == 'left':  # gone before the answer
        form['timeout'] = httpx.Timeout(120, read=0.05)
    return form


async def _slowly(body: bytes) -> AsyncIterator[bytes]:
    size = max(1, len(body) // 10)
    for start in range(0, len(body), size):
        yield body[start : start + size]
        await asyncio.sleep(0.2)


async def _run(
    args: argparse.Namespace, process: subprocess.Popen, expected: list[list[dict]]
) -> Load:
    address = f'http://127.0.0.1:{args.port}'
    async with httpx.AsyncClient(base_url=address, timeout=120) as client:
        await _started(client, process)
        load = Load(client, _pictures(), expected)
        end = time.monotonic() + args.seconds
        seeds = range(args.seed, args.seed + args.clients)
        watcher = asyncio.create_task(load.watch(process.pid))
        await asyncio.gather(*(load.ask(random.Random(seed), end) for seed in seeds))
        await asyncio.sleep(2)
        watcher.cancel()
    return load


def _pictures() -> list[bytes]:
    return [path.read_bytes() for path in sorted(_DEMO.glob('*.jpg'))]


async def _started(client: httpx.AsyncClient, process: subprocess.Popen) -> None:
    while process.poll() is None:
        try:
            if (await client.get('/health')).status_code == 200:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.2)
    raise GLIPError('the server did not start')


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('--model', default='glip-nano')
    add('--clients', type=int, default=32)
    add('--seconds', type=float, default=60)
    add('--port', type=int, default=8765)
    add('--seed', type=int, default=0)


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> int:
    """Run the load; 1 if an answer was wrong or the server died."""
    detector = glip.load(args.model, device='cpu')
    expected = [
        [detector(picture, words).to_dict() for words in _WORDS]
        for picture in _pictures()
    ]
    words = [sys.executable, '-m', 'glip', 'serve', '--model', args.model]
    words += ['--port', str(args.port), '--device', 'cpu', '--queue', '24']
    words += ['--max-body', str(_MOST_BYTES), '--max-pixels', str(_MOST_PIXELS)]
    process = subprocess.Popen(words)
    try:
        load = asyncio.run(_run(args, process, expected))
        died = process.poll() is not None
    finally:
        process.terminate()
        process.wait()
    good, wrong = len(load.seconds), len(load.wrong)
    print(f'{args.clients} clients for {args.seconds:g} s, {args.model}')
    for (kind, status), count in sorted(load.answers.items()):
        print(f'  {kind}: {count} answered {status or "nothing"}')
    print(f'wrong answers: {wrong}, server died: {died}', *load.wrong[:10], sep='\n')
    if good:
        shares = np.percentile(load.seconds, [50, 90, 99])
        latencies = 'p50 {:.2f} s, p90 {:.2f} s, p99 {:.2f} s'.format(*shares)
        print(f'latency of detections: {latencies}')
        print(f'detections: {good / args.seconds:.1f} per second')
    print(
        f'memory of the server: {load.memory[0]:.0f} MiB at the start, '
        f'{max(load.memory):.0f} at most, {load.memory[-1]:.0f} at the end'
    )
    print(json.dumps({'wrong': wrong, 'died': died, 'detections': good}))
    return int(died or wrong > 0)


if __name__ == '__main__':
    sys.exit(main())
