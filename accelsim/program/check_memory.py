"""What a program with a DRAM must satisfy before it runs: one DRAM, and a place in it for every transfer."""

from __future__ import annotations

from math import prod

from accelsim.einsum.ast import Lookup
from accelsim.errors import AccelsimError, nearest
from accelsim.memory.run import check_policy
from accelsim.memory.setup import device_of
from accelsim.program.model import Memory, Places, Program, Resource, Task, bodies


def check_memory(program: Program) -> None:
    """Refuse a DRAM that cannot run.

    Raises:
        AccelsimError: two of them, several servers, a transfer without a place or with a chunk, a place without a DRAM
            or outside it, places whose number is not that of their shape.
    """
    for places in program.places:
        _check_places(places)
    found = [resource for resource in program.resources if resource.memory]
    if len(found) > 1:
        raise AccelsimError(f"resources {found[0].name} and {found[1].name} are both DRAMs; a program has one at most")
    for task in (task for _, _, body in bodies(program.root) for task in body.tasks):
        _check_task(program, task, found[0] if found else None)
    for resource in found:
        if resource.memory:
            _check_resource(program, resource, resource.memory)


def _check_places(places: Places) -> None:
    number = prod(places.shape)
    if number != len(places.tiles) or not number:
        raise AccelsimError(
            f"places {places.name}: shape {list(places.shape)} needs {number} tiles, got {len(places.tiles)}"
        )
    for tile in places.tiles:
        for first, size, distance, count in tile:
            if first < 0 or size < 1 or distance < 0 or count < 1:
                raise AccelsimError(
                    f"places {places.name}: {count} stretches of {size} B from {first}, {distance} apart, are no bytes"
                )


def _check_task(program: Program, task: Task, dram: Resource | None) -> None:
    of, at = f"task {task.name}", task.transfer.at if task.transfer else None
    claims = dram is not None and dram.name in dict(task.claims)
    if at is not None and not claims:
        raise AccelsimError(f"{of} has a place, but no resource that it claims is a DRAM")
    if not claims or dram is None:
        return
    if task.transfer is None or at is None or task.transfer.chunk is not None:
        raise AccelsimError(f"{of} claims {dram.name}, so it must move bytes at a place, all in one")
    if task.kind == "task":
        raise AccelsimError(
            f"{of} claims {dram.name}, so it must be a load, which reads it, or a store, which writes it"
        )
    known = [places.name for places in program.places]
    if not isinstance(at, Lookup):
        raise AccelsimError(f"{of}: its place must be an entry of places, such as A[m1]")
    if at.tensor not in known:
        raise AccelsimError(f'{of}: unknown places "{at.tensor}"{nearest(at.tensor, known)}')


def _check_resource(program: Program, resource: Resource, memory: Memory) -> None:
    if resource.count != 1 or resource.rate is not None:
        raise AccelsimError(f"resource {resource.name} is a DRAM, so it must be one port without a rate")
    if memory.period <= 0:
        raise AccelsimError(f"resource {resource.name}: its period must be positive, not {memory.period}")
    device = device_of(memory.setup)
    check_policy(device, memory.setup.policy)
    size, runs = device.organisation.bytes, (run for places in program.places for tile in places.tiles for run in tile)
    ends = [first + (count - 1) * distance + length for first, length, distance, count in runs]
    if max(ends, default=0) > size:
        raise AccelsimError(f"resource {resource.name}: tiles lie up to byte {max(ends)}, but the DRAM has {size} B")
