"""A DRAM that a running program uses: transfers enter it as they claim its port, and end when their data have passed.

The machine goes from event to event, the channels from command to command. Before the machine moves on, the channels
come as far as its next event: nothing can be asked of them sooner. What ends by then becomes an event of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, prod
from typing import TYPE_CHECKING

from accelsim.einsum.ast import IndexExpr, Lookup
from accelsim.errors import AccelsimError
from accelsim.memory.bursts import Run
from accelsim.memory.model import Outcome
from accelsim.memory.port import FAR, Port, begin, ended, open_port, outcomes
from accelsim.memory.setup import device_of
from accelsim.program.model import Memory, Places, Program
from accelsim.program.state import Instance
from accelsim.program.values import Env, Values

if TYPE_CHECKING:
    from accelsim.program.machine import Machine


class Dram:
    """The channels behind the one resource of a program that has them, from its first transfer on.

    Attributes:
        waiting: transfers with bursts that are not under way, by their number.
    """

    def __init__(self, program: Program) -> None:
        found = next((resource for resource in program.resources if resource.memory), None)
        self.name, self.memory = (found.name, found.memory) if found else ("", None)
        self.places = {places.name: places for places in program.places}
        self.waiting: dict[int, Instance] = {}
        self.port: Port | None = None

    def begin(self, machine: Machine, instance: Instance, memory: Memory) -> int:
        """Ask for the bytes of a transfer; the ticks until all its requests are in the queues of the channels."""
        self.port = self.port or open_port(device_of(memory.setup), memory.setup.policy)
        transfer, env = instance.task.transfer, instance.run.nest.at(instance.coords)
        runs = tile_at(self.places, machine.values, transfer.at if transfer else None, env)
        if not runs:
            raise AccelsimError(f"{instance}: no place in {self.name} for its {instance.left} B")
        arrival = ceil(machine.now / memory.period)
        try:
            number, taken = begin(self.port, runs, instance.task.kind == "store", arrival)
        except AccelsimError as error:
            raise AccelsimError(f"{self.name}, {instance}: {error.message}") from None
        self.waiting[number] = instance
        instance.left, instance.data = 0, None
        return ceil(taken * memory.period) - machine.now

    def look(self, machine: Machine) -> None:
        """Have the channels come as far as the next event, or to the end of a transfer before it."""
        while self.waiting and self.port and self.memory:
            until = ceil(machine.events[0][0] / self.memory.period) if machine.events else FAR
            found = ended(self.port, until)
            if not found:
                return
            for number, tick in found:
                instance = self.waiting.pop(number)
                instance.data = ceil(tick * self.memory.period)
                if instance.phase == "cooling":
                    machine.cool(instance)

    def outcomes(self, now: int) -> Mapping[str, tuple[Outcome, ...]]:
        """What each channel has done by a tick, all transfers having ended; nothing where none has begun."""
        if self.port is None or self.memory is None:
            return {}
        return {self.name: outcomes(self.port, ceil(now / self.memory.period))}


def tile_at(places: Mapping[str, Places], values: Values, at: IndexExpr | None, env: Env) -> tuple[Run, ...]:
    """The stretches of bytes of a tile. Raises AccelsimError for an index outside its places."""
    if not isinstance(at, Lookup):
        return ()
    found, key = places[at.tensor], [values.at(index.expr, env) for index in at.indices]
    if len(key) != len(found.shape) or any(not 0 <= k < n for k, n in zip(key, found.shape, strict=True)):
        raise AccelsimError(f"places {found.name} have the shape {list(found.shape)}; they have no entry {key}")
    return found.tiles[sum(k * prod(found.shape[i + 1 :]) for i, k in enumerate(key))]
