"""Calls in threads, a few at a time, their results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T")


def in_order(calls: Iterable[Callable[[], T]], pool: Executor, most: int) -> Iterator[T]:
    """Runs calls, and makes the next one only when there is a place for it.

    So what a call holds, such as weights, is held by few calls at a time.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(2) as pool:
        ...     list(in_order([lambda: 1, lambda: 2, lambda: 3], pool, 2))
        [1, 2, 3]
    """
    if most == 1:
        yield from (call() for call in calls)
        return
    under_way: deque[Future[T]] = deque()
    try:
        for call in calls:
            under_way.append(pool.submit(call))
            if len(under_way) > most:  # one waits, so that no thread does
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.exception()
