"""Coroutines that go on at every step of the simulator; by an interface of cocotb that holds for the pinned version."""

from __future__ import annotations

from collections.abc import Coroutine, Generator

from cocotb import simulator
from cocotb.triggers import Timer

_LOOK = Timer(1000, unit="step")


class Step:
    """The next step of the simulator: all that may be awaited in what `stepped` runs."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def stepped(run: Coroutine[None, None, None]) -> None:
    """Run a coroutine to its end, in a test of cocotb; raises what it raises.

    The simulator calls it straight: tasks and triggers of cocotb took half of the time of a run. A task looks now and
    then whether it is over.
    """
    ends: list[BaseException] = []

    def go_on() -> None:
        try:
            run.send(None)
        except BaseException as end:  # also what stops a program, since the simulator would go on without it
            ends.append(end)
        else:
            simulator.register_timed_callback(1, go_on)

    go_on()
    while not ends:
        await _LOOK
    if not isinstance(ends[0], StopIteration):
        raise ends[0]
