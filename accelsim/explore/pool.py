"""Executors: a function applied to every item, here or in processes of their own whose death loses one item at most."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TypeVar

from accelsim.errors import AccelsimError

Item = TypeVar("Item")
Answer = TypeVar("Answer")
MAX_DEATHS = 3
LARGEST_CHUNK = 16
CHUNKS_EACH = 4
AHEAD = 2  # chunks per worker that are handed out, so that none waits for the next


@dataclass(frozen=True)
class Crashed:
    """The answer of an item whose process died `MAX_DEATHS` times."""


def run_local(
    task: Callable[[Item], Answer], items: Sequence[Item], workers: int
) -> Iterator[tuple[int, Answer | Crashed]]:
    """Index and answer of every item as they come; with one worker here and in order, else in `workers` processes.

    Args:
        task: a function of a module (processes import it by name); what it raises ends the run.

    Raises:
        AccelsimError: processes that cannot be started.
    """
    if workers == 1:
        yield from ((index, task(item)) for index, item in enumerate(items))
        return
    pending = deque(_chunks(len(items), workers))
    while pending:
        lost = yield from _until_death(task, items, pending, workers)
        yield from _one_by_one(task, items, lost)


def _chunks(count: int, workers: int) -> list[range]:
    size = max(1, min(LARGEST_CHUNK, count // (CHUNKS_EACH * workers)))
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _until_death(
    task: Callable[[Item], Answer], items: Sequence[Item], pending: deque[range], workers: int
) -> Generator[tuple[int, Answer | Crashed], None, list[int]]:
    """Answers until nothing is pending or a process dies; returns the indices that a death took."""
    handed: dict[Future[list[Answer]], range] = {}
    pool = _pool(min(workers, len(pending)))
    try:
        while pending or handed:
            while pending and len(handed) < AHEAD * workers:
                handed[pool.submit(_run_chunk, task, [items[i] for i in pending[0]])] = pending[0]
                pending.popleft()
            for future in wait(handed, return_when=FIRST_COMPLETED).done:
                answers = future.result()
                yield from zip(handed.pop(future), answers, strict=True)
    except BrokenProcessPool:
        return [index for chunk in handed.values() for index in chunk]
    finally:
        pool.shutdown(cancel_futures=True)
    return []


def _one_by_one(
    task: Callable[[Item], Answer], items: Sequence[Item], lost: list[int]
) -> Iterator[tuple[int, Answer | Crashed]]:
    """Answers of items that a death took, each alone in a process, so that the next death tells whose it was."""
    deaths = dict.fromkeys(lost, 1)
    while deaths:
        pool = _pool(1)
        try:
            for index in list(deaths):
                yield index, pool.submit(task, items[index]).result()
                del deaths[index]
        except BrokenProcessPool:
            deaths[index] += 1
            if deaths[index] == MAX_DEATHS:
                del deaths[index]
                yield index, Crashed()
        finally:
            pool.shutdown(cancel_futures=True)


def _run_chunk(task: Callable[[Item], Answer], items: list[Item]) -> list[Answer]:
    return [task(item) for item in items]


def _pool(workers: int) -> ProcessPoolExecutor:
    """Fresh processes that are known to start."""
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _leave_interrupts)
    try:
        pool.submit(_answer).result()
    except BrokenProcessPool:
        pool.shutdown()
        raise AccelsimError(
            'processes do not start: a script that asks for workers needs `if __name__ == "__main__":`, '
            "and must be a file"
        ) from None
    return pool


def _leave_interrupts() -> None:
    """An interrupt ends a process silently; what it means is said by the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _answer() -> bool:
    return True
