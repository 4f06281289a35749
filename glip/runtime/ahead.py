"""Work on the next items while the current one is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')

_THREADS = 2


def computed_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Iterator[Result]:
    """Results of a function for each item, in order.

    Args:
        function: Called in other threads where it works ahead. What it raises is raised
            when its turn comes, and so is what the items raise.
        items: Read in this thread, ``ahead`` further than what was yielded.
        ahead: Results that are computed meanwhile; 0 computes each when it is asked
            for, as is right where items are awaited.
    """
    if ahead <= 0:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix='ahead')
    futures = _futures(pool, function, items)
    waiting: deque[Future[Result]] = deque()
    try:
        while True:
            while len(waiting) <= ahead and (future := next(futures, None)):
                waiting.append(future)
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _futures(
    pool: ThreadPoolExecutor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
) -> Iterator[Future[Result]]:
    try:
        for item in items:
            yield pool.submit(function, item)
    except Exception as error:  # noqa: BLE001 (raised in its turn)
        failed: Future[Result] = Future()
        failed.set_exception(error)
        yield failed
