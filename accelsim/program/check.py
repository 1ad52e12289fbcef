"""What a program must satisfy before it runs: names, numbers, edges, lists and room, each refusal in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from accelsim.einsum.ast import RESERVED, IndexExpr, Int, Lookup, MapCall, Predicate, Size
from accelsim.einsum.walk import coordinates, walk
from accelsim.errors import AccelsimError, nearest
from accelsim.program.check_memory import check_memory
from accelsim.program.model import Body, Draw, Edge, Loop, Par, Program, Task, Tree, bodies, children
from accelsim.program.plan import channel

RANK = re.compile(r"[a-z][A-Za-z0-9_]{0,63}")
TABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def check_program(program: Program) -> None:
    """Refuse what cannot run.

    Raises:
        AccelsimError: an unknown or repeated name, a number that is not positive, a cycle of edges of distance 0, an
            edge to a later iteration, a static list that misses a task, a tile larger than its buffer; what
            `check_memory` finds.
    """
    _unique("resource", (item.name for item in program.resources))
    _unique("buffer", (item.name for item in program.buffers))
    _unique("table", (item.name for item in (*program.tables, *program.places)))
    _unique("task", (task.name for _, _, body in bodies(program.root) for task in body.tasks))
    _positive(f"program {program.name}: ticks per second", program.ticks_per_s)
    _check_words(program)
    _check_numbers(program)
    for outer, nest, body in bodies(program.root):
        _check_loops(program, (*outer, *nest))
        _positive("in_flight", body.in_flight)
        if not body.tasks:
            raise AccelsimError("a body must have a task")
        names = dict.fromkeys(task.name for task in body.tasks)
        ranks = tuple(loop.rank for loop in nest)
        for task in body.tasks:
            _check_task(program, task, (*outer, *nest))
            _check_edges(task, names, ranks)
            _check_holds(program, task, names, ranks)
        _check_cycle(body)
    _check_static(program)
    _check_owners(program)
    check_memory(program)


def _check_words(program: Program) -> None:
    """Names that expressions can name: ranks in lower case, tables, neither of them a word of the language."""
    for table in (*program.tables, *program.places):
        if not TABLE.fullmatch(table.name) or table.name in RESERVED:
            raise AccelsimError(f'table "{table.name}" must have a name such as LEN, and no reserved word')
    for outer, nest, _ in bodies(program.root):
        for loop in (*outer, *nest):
            if not RANK.fullmatch(loop.rank) or loop.rank in RESERVED:
                raise AccelsimError(f'loop "{loop.rank}" must be named in lower case, such as m1')


def _unique(what: str, names: Iterable[str]) -> None:
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise AccelsimError(f'there are two {what}s named "{twice[0]}"')


def _positive(what: str, value: object) -> None:
    if value is not None and not value > 0:  # type: ignore[operator]
        raise AccelsimError(f"{what} must be positive, not {value}")


def _known(what: str, name: str, names: Collection[str], of: str) -> None:
    if name not in names:
        raise AccelsimError(f'{of}: unknown {what} "{name}"{nearest(name, names)}')


def _check_numbers(program: Program) -> None:
    for resource in program.resources:
        _positive(f"resource {resource.name}: count", resource.count)
        _positive(f"resource {resource.name}: rate", resource.rate)
    for buffer in program.buffers:
        _positive(f"buffer {buffer.name}: capacity", buffer.capacity)
    for table in program.tables:
        if isinstance(table, Draw):
            _positive(f"draw {table.name}: number of choices", len(table.choices))
            continue
        entries = 1
        for n in table.shape:
            entries *= n
        if entries != len(table.values) or not entries:
            raise AccelsimError(
                f"table {table.name}: shape {list(table.shape)} needs {entries} values, got {len(table.values)}"
            )


def _check_loops(program: Program, loops: tuple[Loop, ...]) -> None:
    _unique("loop", (loop.rank for loop in loops))
    for level, loop in enumerate(loops):
        _check_names(program, f"loop {loop.rank}", tuple(item.rank for item in loops[:level]), loop.bound)


def _check_names(program: Program, of: str, ranks: tuple[str, ...], *items: IndexExpr | Predicate | None) -> None:
    """Everything inside must be a loop outside, a table or a number."""
    for rank in coordinates(*items):
        _known("loop", rank, ranks, of)
    tables = {table.name: table for table in program.tables}
    for item in walk(*items):
        if isinstance(item, Size | MapCall):
            raise AccelsimError(f'{of}: "{item.name}" must be a number in a program')
        if isinstance(item, Lookup):
            _known("table", item.tensor, tables, of)
            if any(index.edge for index in item.indices):
                raise AccelsimError(f"{of}: an index of {item.tensor} takes no clamp, zero or wrap in a program")


def _check_task(program: Program, task: Task, loops: tuple[Loop, ...]) -> None:
    of, resources = f"task {task.name}", {r.name: r for r in program.resources}
    ranks = tuple(loop.rank for loop in loops)
    moved = (task.transfer.bytes,) if task.transfer else ()
    _check_names(program, of, ranks, task.busy, task.latency, task.when, *moved, *(h.bytes for h in task.holds))
    if task.transfer and isinstance(task.transfer.at, Lookup):
        _check_names(program, of, ranks, *(index.expr for index in task.transfer.at.indices))
    _unique("claim", (name for name, _ in task.claims))
    for name, amount in task.claims:
        _known("resource", name, resources, of)
        _positive(f"{of}: its claim on {name}", amount)
        if amount > resources[name].count:
            raise AccelsimError(f"{of} claims {amount} of {name}, which has {resources[name].count}")
    if (task.busy is None) == (task.transfer is None):
        raise AccelsimError(f"{of} needs either busy ticks or a transfer")
    if task.transfer and channel(task, resources) is None:
        raise AccelsimError(f"{of} moves bytes, so one of its resources must have a rate")
    _positive(f"{of}: chunk", task.transfer.chunk if task.transfer else None)
    least_of = (("busy", task.busy, 1), ("bytes", moved[0] if moved else None, 1), ("latency", task.latency, 0))
    for what, expr, least in least_of:
        if isinstance(expr, Int) and expr.value < least:
            raise AccelsimError(f"{of}: {what} must be at least {least}, not {expr.value}")


def _check_edges(task: Task, names: Collection[str], ranks: tuple[str, ...]) -> None:
    of = f"task {task.name}"
    for edge in task.after:
        _known("task", edge.source, names, f"{of}: after")
        for rank, _ in edge.distance:
            _known("loop", rank, ranks, f"{of}: after {edge.source}")
        for rank in edge.first:
            _known("loop", rank, ranks, f"{of}: after {edge.source}")
        back = [dict(edge.distance).get(rank, 0) for rank in ranks]
        if not edge.back and next((step for step in back if step), 0) < 0:
            raise AccelsimError(f"{of} waits for {edge.source} of a later iteration: distance {back} by {list(ranks)}")


def is_here(edge: Edge) -> bool:
    """Whether an edge may lead to a task of the same iteration."""
    return not edge.back and not any(n for _, n in edge.distance)


def _check_cycle(body: Body) -> None:
    """Edges within one iteration, those from writers to readers of a tile included, must have an order."""
    before = {task.name: {e.source for e in task.after if is_here(e)} for task in body.tasks}
    for task in body.tasks:
        for reader in {reader for hold in task.holds for reader in hold.readers}:
            before[reader].add(task.name)
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        around = " -> ".join(error.args[1])
        raise AccelsimError(f"tasks of one iteration wait for each other in a circle: {around}") from None
    _check_order(body, before)


def _check_order(body: Body, before: Mapping[str, set[str]]) -> None:
    """Position is program order, so what a task waits for stands before it: run strictly in order, nothing waits."""
    seen: set[str] = set()
    for task in body.tasks:
        missing = sorted(before[task.name] - seen)
        if missing:
            raise AccelsimError(f"task {task.name} must stand behind {missing[0]}, whose result it waits for")
        seen.add(task.name)


def _check_holds(program: Program, task: Task, names: Collection[str], ranks: tuple[str, ...]) -> None:
    buffers = {buffer.name: buffer for buffer in program.buffers}
    for hold in task.holds:
        of = f"task {task.name}: holds {hold.buffer}"
        _known("buffer", hold.buffer, buffers, f"task {task.name}")
        for rank in hold.by:
            _known("loop", rank, ranks, of)
        for reader in (*hold.readers, *hold.users):
            _known("task", reader, names, of)
        if isinstance(hold.bytes, Int):
            _positive(f"{of}: bytes", hold.bytes.value)
            if hold.bytes.value > buffers[hold.buffer].capacity:
                raise AccelsimError(
                    f"{of}: a tile has {hold.bytes.value} B, the buffer {buffers[hold.buffer].capacity} B"
                )


def _check_static(program: Program) -> None:
    tasks = {task.name: task for _, _, body in bodies(program.root) for task in body.tasks}
    for resource in program.resources:
        listed = [name for name, _ in resource.static]
        if resource.order != "static":
            if listed:
                raise AccelsimError(f"resource {resource.name} lists tasks but its order is {resource.order}")
            continue
        _unique(f"entry of {resource.name}", listed)
        for name, stage in resource.static:
            _known("task", name, tasks, f"resource {resource.name}")
            if not 0 <= stage <= 1024:
                raise AccelsimError(f"resource {resource.name}: the stage of {name} must be 0 to 1024, not {stage}")
        claiming = dict.fromkeys(task.name for task in tasks.values() if resource.name in dict(task.claims))
        known = set(listed)
        for name in (*claiming, *listed):
            if name not in known:
                raise AccelsimError(f"resource {resource.name}: its static order misses task {name}")
            if name not in claiming:
                raise AccelsimError(f"resource {resource.name}: task {name} of its static order does not claim it")


def _check_owners(program: Program) -> None:
    """One writer for each buffer that is not a pool; no static list over bodies that run at once."""
    writers = Counter(
        name
        for _, _, body in bodies(program.root)
        for task in body.tasks
        for name in {hold.buffer for hold in task.holds}
    )
    for buffer in program.buffers:
        if writers[buffer.name] > 1 and not buffer.pool:
            raise AccelsimError(f"buffer {buffer.name} has {writers[buffer.name]} writers; say pool if they share it")
    static = {resource.name for resource in program.resources if resource.order == "static"}
    pending: list[Tree] = [program.root]
    while pending:
        item = pending.pop()
        pending += children(item)
        if isinstance(item, Par):
            _check_shared(item, static)


def _check_shared(par: Par, static: set[str]) -> None:
    seen = Counter(name for child in par.children for name in _claimed(child) & static)
    for name, n in seen.items():
        if n > 1:
            raise AccelsimError(f"resource {name} has a static order, so only one child of a par may claim it")


def _claimed(tree: Tree) -> set[str]:
    return {name for _, _, body in bodies(tree) for task in body.tasks for name, _ in task.claims}
