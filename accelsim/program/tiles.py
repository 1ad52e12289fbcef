"""Tiles in buffers: taken when their writer starts, given back when the last of their readers has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError
from accelsim.program.model import Hold
from accelsim.program.nest import Coords
from accelsim.program.plan import Reading
from accelsim.program.state import BodyRun, Instance, Key, Tile

if TYPE_CHECKING:
    from accelsim.program.machine import Machine


def enter(machine: Machine, instance: Instance) -> Iterator[Key]:
    """Note an instance as a reader of its tiles and give their writers, whose results it waits for."""
    run = instance.run
    for reading in run.plan.reads[instance.place]:
        tile = find(machine, run, reading, instance.coords)
        if tile is None:
            continue
        waits = instance.task.name in run.plan.hold(reading).readers
        if waits and (tile.writer, reading[0]) > (instance.coords, instance.place):
            writer = run.plan.body.tasks[reading[0]].name
            raise AccelsimError(f"{instance} reads a tile before {writer} writes it at {list(tile.writer)}")
        tile.reading += 1
        if not has_more(run, instance, run.plan.hold(reading)):
            tile.unseen -= {instance.task.name}
        if waits:
            yield reading[0], tile.writer


def take(machine: Machine, instance: Instance) -> None:
    """A writer starts: take the bytes of its tiles."""
    run = instance.run
    for number, hold in enumerate(instance.task.holds):
        reading = (instance.place, number)
        tile = find(machine, run, reading, instance.coords)
        if tile is not None and hold.users and tile.writer != instance.coords:
            continue
        if tile is None or tile.writer != instance.coords:
            raise AccelsimError(f"{instance} writes a tile of {hold.buffer} a second time (tiles by {list(hold.by)})")
        tile.taken = True
        machine.used[hold.buffer] += tile.bytes
        run.upcoming[instance.place] = next_writer(run, instance)


def next_writer(run: BodyRun, instance: Instance) -> Coords | None:
    """The next iteration in which a task acquires: any of it, or the first of a tile that it writes repeatedly."""
    when, holds = instance.task.when, instance.task.holds
    coming = run.nest.following(when, after=instance.coords)
    if not all(hold.users for hold in holds):
        return coming
    by = set[str]().union(*(hold.by for hold in holds))
    zero = {rank: 0 for rank in run.plan.ranks if rank not in by}
    if when is None:
        return run.nest.following(after=instance.coords, fixed=zero)
    while coming is not None and not any(begins(run, instance, hold, coming) for hold in holds):
        coming = run.nest.following(when, after=coming)
    return coming


def begins(run: BodyRun, instance: Instance, hold: Hold, coords: Coords) -> bool:
    """Whether a task writes a tile for the first time in an iteration."""
    return run.nest.following(instance.task.when, fixed=same(run, hold, coords)) == coords


def acquires(machine: Machine, instance: Instance, number: int) -> bool:
    """Whether an instance takes the bytes of one of its tiles, rather than writing what is taken already."""
    if not instance.task.holds[number].users:
        return True
    tile = find(machine, instance.run, (instance.place, number), instance.coords)
    return tile is None or tile.writer == instance.coords


def leave(machine: Machine, instance: Instance) -> None:
    """An instance has its result: give back what nobody reads any more."""
    run = instance.run
    for number, _ in enumerate(instance.task.holds):
        reading = (instance.place, number)
        run.tiles[tile_key(run, reading, instance.coords)].written = True
        give_back(machine, run, reading, instance.coords)
    for reading in run.plan.reads[instance.place]:
        found = run.tiles.get(tile_key(run, reading, instance.coords))
        if found is not None:
            found.reading -= 1
            give_back(machine, run, reading, instance.coords)


def give_back(machine: Machine, run: BodyRun, reading: Reading, coords: Coords) -> None:
    key = tile_key(run, reading, coords)
    tile = run.tiles[key]
    if tile.written and not tile.reading and not tile.unseen:
        buffer = run.plan.hold(reading).buffer
        machine.used[buffer] -= tile.bytes
        del run.tiles[key]
        if machine.why:
            machine.why.roomy(buffer)


def tile_key(run: BodyRun, reading: Reading, coords: Coords) -> tuple[int, int, Coords]:
    by = run.plan.hold(reading).by
    return (*reading, tuple(c for rank, c in zip(run.plan.ranks, coords, strict=True) if rank in by))


def find(machine: Machine, run: BodyRun, reading: Reading, coords: Coords) -> Tile | None:
    """The tile that an iteration shares; None where nobody writes it."""
    key = tile_key(run, reading, coords)
    if key not in run.tiles:
        hold, task = run.plan.hold(reading), run.plan.body.tasks[reading[0]]
        fixed = same(run, hold, coords)
        writer = run.nest.following(task.when, fixed=fixed)
        if writer is None:
            return None
        size = machine.values.at(hold.bytes, run.nest.at(writer))
        if size < 1:
            raise AccelsimError(f"task {task.name}: a tile of {hold.buffer} must have at least 1 byte, got {size}")
        again = (task.name,) if hold.users else ()
        tasks = (run.plan.body.tasks[run.plan.places[name]] for name in (*hold.readers, *hold.users, *again))
        unseen = frozenset(user.name for user in tasks if run.nest.following(user.when, fixed=fixed) is not None)
        run.tiles[key] = Tile(size, writer, unseen)
    return run.tiles[key]


def same(run: BodyRun, hold: Hold, coords: Coords) -> dict[str, int]:
    """The coordinates that all iterations with one tile share."""
    return {rank: c for rank, c in zip(run.plan.ranks, coords, strict=True) if rank in hold.by}


def has_more(run: BodyRun, instance: Instance, hold: Hold) -> bool:
    """Whether a later instance of the same reader reads the same tile; remembers how far ahead it lies."""
    if len(hold.by) == len(run.plan.ranks):
        return False
    following = run.nest.following(instance.task.when, after=instance.coords, fixed=same(run, hold, instance.coords))
    if following is None:
        return False
    for level, (a, b) in enumerate(zip(instance.coords, following, strict=True)):
        run.reach[level] = max(run.reach[level], b - a)
    return True
