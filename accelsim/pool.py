"""Executors: a function applied to every item, here or in processes of their own whose death loses one item at most.

Each process has a pipe of its own and shares nothing with the others, so that one that is killed at any moment leaves
no lock behind for the rest to wait on.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from accelsim.errors import AccelsimError

Item = TypeVar("Item")
Answer = TypeVar("Answer")
MAX_DEATHS = 3
LARGEST_CHUNK = 16
CHUNKS_EACH = 4


@dataclass(frozen=True)
class Crashed:
    """The answer of an item whose process died `MAX_DEATHS` times."""


@dataclass(frozen=True, eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection

    def end(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()


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
    busy: dict[Connection, tuple[_Worker, range]] = {}
    idle: list[_Worker] = []
    deaths = dict.fromkeys(range(len(items)), 0)
    try:
        while pending or busy:
            while pending and len(busy) < workers:
                worker = idle.pop() if idle else _started(task)
                if _hand(worker, [items[i] for i in pending[0]]):
                    busy[worker.pipe] = (worker, pending.popleft())
            ready = wait(list(busy))
            for pipe in [pipe for pipe in busy if pipe in ready]:
                worker, chunk = busy.pop(pipe)
                answers = _answers(worker)
                if answers is not None:
                    idle.append(worker)
                    yield from zip(chunk, answers, strict=True)
                else:
                    yield from _bury(worker, chunk, deaths, pending)
    finally:
        for worker in [*idle, *(worker for worker, _ in busy.values())]:
            worker.end()


def _chunks(count: int, workers: int) -> list[range]:
    size = max(1, min(LARGEST_CHUNK, count // (CHUNKS_EACH * workers)))
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _bury(
    worker: _Worker, chunk: range, deaths: dict[int, int], pending: deque[range]
) -> Iterator[tuple[int, Crashed]]:
    """A chunk that its process took along, handed out again item by item: the next death tells whose it was."""
    worker.end()
    for index in chunk:
        deaths[index] += 1
        if deaths[index] == MAX_DEATHS:
            yield index, Crashed()
        else:
            pending.append(range(index, index + 1))


def _hand(worker: _Worker, items: list[Any]) -> bool:
    """Whether the process took the items; one that died while idle does not."""
    try:
        worker.pipe.send(items)
    except OSError:
        worker.end()
        return False
    return True


def _answers(worker: _Worker) -> list[Any] | None:
    """The answers of a chunk, None from a process that died. Raises what the task raised."""
    try:
        answers = worker.pipe.recv()
    except (EOFError, OSError):
        return None
    if isinstance(answers, BaseException):
        raise answers
    return list(answers)


def _started(task: Callable[[Any], Any]) -> _Worker:
    """A fresh process that is known to have started."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, task), daemon=True)
    process.start()
    theirs.close()
    worker = _Worker(process, ours)
    if _answers(worker) is None:
        worker.end()
        raise AccelsimError(
            'processes do not start: a script that asks for workers needs `if __name__ == "__main__":`, '
            "and must be a file"
        )
    return worker


def _serve(pipe: Connection, task: Callable[[Any], Any]) -> None:
    """The life of a process: chunks of items in, their answers out, until the pipe closes.

    An interrupt ends it silently; what it means is said by the one that started it.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with suppress(EOFError, BrokenPipeError):
        pipe.send([])
        while True:
            items = pipe.recv()
            try:
                answers: list[Any] | BaseException = [task(item) for item in items]
            except Exception as error:
                answers = error
            pipe.send(answers)
