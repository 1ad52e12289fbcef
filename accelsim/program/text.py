"""The text of a program: one line for each thing, two blanks of indent for each level; `read_program` takes it back.

program tiny at 940000000 per s
resource pe2d 1 static QK LM+1
resource link 1 oldest rate 512/3
resource dram 1 oldest
memory dram HBM3 HBM3_8Gb_8hi HBM3_6400Mbps channels 16 queue 32 ... page open refresh none period 47 map ro ba ra co bg
buffer gb 4096 pool
table LEN [3] 5 6 7
draw REFETCH 7 1 1 2
places A [3] 0+4096 4096+4096 8192+64/1024*16,65536+32
loop m1 < LEN[b]
  body 4
    load LK on link moves 4096 by 256 latency 100 holds gb 2048 of m1 for QK when m1 > 0
    load V on dram moves 4096 at A[m1]
    task QK on pe2d:1 busy 64 after LK, RM m1:1
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from accelsim.einsum.text import render_index, render_predicate
from accelsim.memory.bursts import Run
from accelsim.program.model import (
    ZERO,
    Body,
    Draw,
    Edge,
    Hold,
    Loop,
    Memory,
    Places,
    Program,
    Resource,
    Seq,
    Table,
    Task,
    Tree,
)


def render_program(program: Program) -> str:
    """The whole text, ending in a new line; equal programs have equal texts."""
    return "\n".join(_lines(program)) + "\n"


def _lines(program: Program) -> Iterator[str]:
    yield f"program {program.name} at {program.ticks_per_s} per s"
    yield from (_resource(resource) for resource in program.resources)
    yield from (_memory(r.name, r.memory) for r in program.resources if r.memory)
    for buffer in program.buffers:
        yield f"buffer {buffer.name} {buffer.capacity}" + " pool" * buffer.pool
    yield from (_table(table) for table in program.tables)
    yield from (_places(places) for places in program.places)
    pending: list[tuple[Tree | Task, int]] = [(program.root, 0)]
    while pending:
        item, depth = pending.pop()
        yield "  " * depth + _head(item)
        pending += [(child, depth + 1) for child in reversed(_inside(item))]


def _resource(resource: Resource) -> str:
    issued = [f"{name}+{stage}" if stage else name for name, stage in resource.static]
    rate = [f"rate {resource.rate}"] if resource.rate is not None else []
    return " ".join(["resource", resource.name, str(resource.count), resource.order, *issued, *rate])


def _memory(name: str, memory: Memory) -> str:
    setup = memory.setup
    policy = " ".join(f"{field.name} {getattr(setup.policy, field.name)}" for field in fields(setup.policy))
    device = f"{setup.standard} {setup.organisation} {setup.timing} channels {setup.channels}"
    return f"memory {name} {device} {policy} period {memory.period} map {setup.address_map}"


def _places(places: Places) -> str:
    tiles = (",".join(map(_run, tile)) or "-" for tile in places.tiles)
    return " ".join(["places", places.name, f"[{','.join(map(str, places.shape))}]", *tiles])


def _run(run: Run) -> str:
    first, size, distance, count = run
    return f"{first}+{size}" + (f"/{distance}*{count}" if count > 1 else "")


def _table(table: Table | Draw) -> str:
    if isinstance(table, Draw):
        return " ".join(["draw", table.name, str(table.seed), *map(str, table.choices)])
    return " ".join(["table", table.name, f"[{','.join(map(str, table.shape))}]", *map(str, table.values)])


def _inside(item: Tree | Task) -> tuple[Tree | Task, ...]:
    match item:
        case Loop():
            return (item.child,)
        case Body():
            return item.tasks
        case Task():
            return ()
    return item.children


def _head(item: Tree | Task) -> str:
    match item:
        case Loop():
            return f"loop {item.rank} < {render_index(item.bound)}"
        case Body():
            return f"body {item.in_flight}"
        case Task():
            return " ".join(_task(item))
    return "seq" if isinstance(item, Seq) else "par"


def _task(task: Task) -> Iterator[str]:
    yield f"{task.kind} {task.name} on {', '.join(f'{name}:{n}' if n != 1 else name for name, n in task.claims)}"
    if task.transfer:
        yield f"moves {render_index(task.transfer.bytes)}"
        if task.transfer.chunk is not None:
            yield f"by {task.transfer.chunk}"
        if task.transfer.at is not None:
            yield f"at {render_index(task.transfer.at)}"
    if task.busy is not None:
        yield f"busy {render_index(task.busy)}"
    if task.latency != ZERO:
        yield f"latency {render_index(task.latency)}"
    if task.after:
        yield f"after {', '.join(_edge(edge) for edge in task.after)}"
    yield from (_hold(hold) for hold in task.holds)
    if task.when:
        yield f"when {render_predicate(task.when)}"


def _edge(edge: Edge) -> str:
    steps = [*(f"{rank}:{n}" for rank, n in edge.distance), *(f"{rank}=0" for rank in edge.first)]
    return " ".join([edge.source, *steps, *([f"~{edge.back}"] if edge.back else [])])


def _hold(hold: Hold) -> str:
    parts = ["holds", hold.buffer, render_index(hold.bytes)]
    for word, names in (("of", hold.by), ("for", hold.readers), ("with", hold.users)):
        parts += [word, ", ".join(names)] if names else []
    return " ".join(parts)
