"""A run told as a static order: a program without loops whose tasks are the starts of the run, at the same ticks."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from itertools import chain, pairwise

from accelsim.einsum.ast import Int
from accelsim.errors import AccelsimError
from accelsim.program.execute import execute
from accelsim.program.machine import Start
from accelsim.program.model import (
    ZERO,
    Body,
    Edge,
    Hold,
    Loop,
    Par,
    Program,
    Seq,
    Task,
    Transfer,
    Tree,
    bodies,
    children,
)
from accelsim.program.nest import Nest
from accelsim.program.values import Values

MOST_TASKS = 100_000
MOST_EDGES = 1_000_000
MOST_ITERATIONS = 1_000_000
LONGEST_NAME = 64


def unrolled(program: Program) -> Program:
    """The run of a program as one body: a task for each start, and every resource lists them as they started.

    Executed, it starts everything at the same ticks. A task waits for what its instance waited for: sources of edges,
    writers of tiles, iterations that had to leave the window, what a barrier ended, the chunk before it. What follows
    from the lists and from other edges is left out.

    Raises:
        AccelsimError: more than 100,000 starts, or a million edges or iterations; what `execute` refuses; a shared
            pool that decides who passes in a `fifo`; a DRAM, where a chunk cannot stand alone.
    """
    memory = next((resource for resource in program.resources if resource.memory), None)
    if memory:
        raise AccelsimError(f"program {program.name} cannot be unrolled: {memory.name} is a DRAM by its commands")
    run = execute(program, skip=False, trace=MOST_TASKS + 1, limit=MOST_TASKS, explain=False)
    _refuse_races(program)
    if len(run.trace) > MOST_TASKS:
        raise AccelsimError(f"program {program.name}: more than {MOST_TASKS} starts cannot be unrolled")
    log = _Log(program, run.trace)
    return replace(
        program,
        resources=tuple(
            replace(r, order="static", static=tuple((log.names[p], 0) for p in log.queues[r.name]))
            for r in program.resources
        ),
        root=Body(_tasks(log)) if run.trace else Seq(()),
        buffers=tuple(replace(buffer, pool=True) for buffer in program.buffers),
        tables=(),
    )


def queues(program: Program) -> Mapping[str, tuple[str, ...]]:
    """For every resource of an unrolled program its tasks as they start: the instructions of its queue.

    Raises:
        AccelsimError: the program is not unrolled.
    """
    for resource in program.resources:
        if resource.order != "static" or any(stage for _, stage in resource.static):
            raise AccelsimError(
                f"program {program.name} must be unrolled first: {resource.name} has no plain static order"
            )
    if not isinstance(program.root, Body) and program.root != Seq(()):
        raise AccelsimError(f"program {program.name} must be unrolled first: it is not a single body")
    return {resource.name: tuple(name for name, _ in resource.static) for resource in program.resources}


@dataclass(frozen=True)
class _Home:
    """A body with the loops of its nest; `outer` counts the loops further out, whose iterations are laps."""

    body: Body
    outer: int
    loops: tuple[Loop, ...]


@dataclass(frozen=True, eq=False)
class _Instance:
    """A task as it ran; `places` are those of its chunks among all starts.

    Attributes:
        env: coordinates of the loops further out.
        coords: coordinates of its own nest.
    """

    task: Task
    home: _Home
    env: tuple[tuple[str, int], ...]
    coords: tuple[int, ...]
    places: tuple[int, ...]
    latency: int

    @property
    def last(self) -> int:
        return self.places[-1]

    def tile(self, hold: Hold) -> tuple[object, ...]:
        """What tells its tile of a hold apart."""
        shared = (c for loop, c in zip(self.home.loops, self.coords, strict=True) if loop.rank in hold.by)
        return (self.env, *shared)


@dataclass(frozen=True, eq=False)
class _Log:
    """What happened: starts in their order, and the instances of tasks that they belong to, numbered as they began."""

    program: Program
    starts: Sequence[Start]

    @cached_property
    def values(self) -> Values:
        return Values({table.name: table for table in self.program.tables})

    @cached_property
    def instances(self) -> tuple[_Instance, ...]:
        places: dict[tuple[str, tuple[tuple[str, int], ...]], list[int]] = {}
        for place, start in enumerate(self.starts):
            places.setdefault((start.task, start.coordinates), []).append(place)
        known = {
            task.name: (task, _Home(body, len(outer), nest))
            for outer, nest, body in bodies(self.program.root)
            for task in body.tasks
        }
        return tuple(self._instance(*known[name], at, tuple(found)) for (name, at), found in places.items())

    def _instance(self, task: Task, home: _Home, at: tuple[tuple[str, int], ...], places: tuple[int, ...]) -> _Instance:
        latency = self.values.at(task.latency, dict(at))
        coords = tuple(c for _, c in at[home.outer :])
        return _Instance(task, home, at[: home.outer], coords, places, latency)

    @cached_property
    def owners(self) -> list[int]:
        """For every start the number of its instance."""
        found = [0] * len(self.starts)
        for number, instance in enumerate(self.instances):
            for place in instance.places:
                found[place] = number
        return found

    @cached_property
    def numbers(self) -> dict[tuple[object, ...], int]:
        """Instance by name and coordinates."""
        return {(i.task.name, i.env, i.coords): number for number, i in enumerate(self.instances)}

    @cached_property
    def by_task(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, instance in enumerate(self.instances):
            found.setdefault(instance.task.name, []).append(number)
        return found

    @cached_property
    def runs(self) -> dict[tuple[int, object], list[int]]:
        """The instances of each body in each lap of the loops around it."""
        found: dict[tuple[int, object], list[int]] = {}
        for number, instance in enumerate(self.instances):
            found.setdefault((id(instance.home.body), instance.env), []).append(number)
        return found

    @cached_property
    def queues(self) -> dict[str, list[int]]:
        """For every resource the places of its starts."""
        found: dict[str, list[int]] = {resource.name: [] for resource in self.program.resources}
        for place, number in enumerate(self.owners):
            for name, _ in self.instances[number].task.claims:
                found[name].append(place)
        return found

    @cached_property
    def names(self) -> list[str]:
        """For every start a name that tells it: QK_m1.0_p1.3, and .c2 for a third chunk."""
        found = [""] * len(self.starts)
        for instance in self.instances:
            at = (*instance.env, *zip((loop.rank for loop in instance.home.loops), instance.coords, strict=True))
            name = "_".join([instance.task.name, *(f"{rank}.{c}" for rank, c in at)])
            for chunk, place in enumerate(instance.places):
                found[place] = f"{name}.c{chunk}" if len(instance.places) > 1 else name
        return _distinct(found)

    def nest(self, instance: _Instance) -> Nest:
        loops = instance.home.loops
        ranks, bounds = tuple(loop.rank for loop in loops), tuple(loop.bound for loop in loops)
        return Nest(ranks, bounds, dict(instance.env), self.values)


def _distinct(names: Iterable[str]) -> list[str]:
    """Names of at most 64 characters, none twice; what is too long ends in a digest of the whole."""
    taken: dict[str, None] = {}
    for full in names:
        digest = blake2b(full.encode(), digest_size=6).hexdigest()
        short = name = full if len(full) <= LONGEST_NAME else f"{full[: LONGEST_NAME - 13]}-{digest}"
        again = 1
        while name in taken:
            again += 1
            name = f"{short[: LONGEST_NAME - 1 - len(str(again))]}-{again}"
        taken[name] = None
    return list(taken)


class _Waits:
    """What every instance waits for, gathered edge by edge; each edge held in the run.

    Attributes:
        after: instances whose results an instance waits for.
        followers: the same, seen from the other end.
        ahead: instances that start no later than an instance because a list has them directly before it.
        alone: resources on which nothing that is listed later starts before the result of an instance exists.
    """

    def __init__(self, log: _Log) -> None:
        self.log, self.edges = log, 0
        self.after: list[set[int]] = [set() for _ in log.instances]
        self.followers: list[set[int]] = [set() for _ in log.instances]
        self.ahead: list[set[int]] = [set() for _ in log.instances]
        self.alone: list[set[str]] = [set() for _ in log.instances]
        self.holds: list[list[Hold]] = [[] for _ in log.instances]
        for resource in log.program.resources:
            self._line_up(resource.name, resource.count)

    def _line_up(self, resource: str, count: int) -> None:
        for place, following in pairwise(self.log.queues[resource]):
            number, other = self.log.owners[place], self.log.owners[following]
            instance, behind = self.log.instances[number], self.log.instances[other]
            if number != other and behind.places[0] == following:
                self.ahead[other].add(number)
            both = dict(instance.task.claims)[resource] + dict(behind.task.claims)[resource]
            if instance.last == place and not instance.latency and both > count:
                self.alone[number].add(resource)

    def wait(self, number: int, sources: Iterable[int]) -> None:
        new = set(sources) - self.after[number]
        self.after[number] |= new
        for source in new:
            self.followers[source].add(number)
        self.edges += len(new)
        if self.edges > MOST_EDGES:
            raise AccelsimError(f"program {self.log.program.name}: more than {MOST_EDGES} edges when unrolled")

    def ends(self, members: Sequence[int]) -> list[int]:
        """Those whose results come after the results of all `members`, whatever the durations."""
        inside, latest = set(members), dict[str, int]()
        for number in members:
            for name, _ in self.log.instances[number].task.claims:
                latest[name] = max(latest.get(name, 0), self.log.instances[number].last)
        return [
            number
            for number in members
            if self.followers[number].isdisjoint(inside)
            and all(latest[name] <= self.log.instances[number].last for name in self.alone[number])
        ]


def _tasks(log: _Log) -> tuple[Task, ...]:
    waits = _Waits(log)
    _add_data(waits)
    for members in log.runs.values():
        _add_window(waits, members)
    _add_barriers(waits, log.program.root, list(range(len(log.instances))), 0)
    _add_unclaimed(waits)
    found = (task for number in range(len(log.instances)) for task in _chunks(waits, number))
    return tuple(task for _, task in sorted(found, key=lambda item: item[0]))


def _add_data(waits: _Waits) -> None:
    """Edges whose sources exist, and tiles from their writers to their readers."""
    log = waits.log
    for number, instance in enumerate(log.instances):
        if instance.task.after:
            nest = log.nest(instance)
            keys = ((e.source, instance.env, nest.source(e, instance.coords)) for e in instance.task.after)
            waits.wait(number, (log.numbers[key] for key in keys if key in log.numbers))
    for _, _, body in bodies(log.program.root):
        for task in body.tasks:
            for hold in task.holds:
                _add_tiles(waits, task, hold)


def _add_tiles(waits: _Waits, writer: Task, hold: Hold) -> None:
    """The first writer of a tile takes its bytes, its readers wait for it; whoever writes it again uses it."""
    log, written = waits.log, _by_tile(waits.log, [writer.name], hold)
    reading, using = _by_tile(log, hold.readers, hold), _by_tile(log, hold.users, hold)
    for tile, (first, *again) in written.items():
        instance, readers = log.instances[first], reading.get(tile, [])
        for number in readers:
            waits.wait(number, (first,))
        users = [*again, *using.get(tile, [])]
        itself = [first] if len(instance.places) > 1 and not (readers or users) else []
        size = log.values.at(hold.bytes, log.nest(instance).at(instance.coords))
        named = (tuple(sorted(log.instances[n].last for n in numbers)) for numbers in ([*readers, *itself], users))
        readers_last, users_last = (tuple(log.names[place] for place in places) for places in named)
        waits.holds[first].append(Hold(hold.buffer, Int(size), (), readers_last, users_last))


def _by_tile(log: _Log, names: Iterable[str], hold: Hold) -> dict[tuple[object, ...], list[int]]:
    """The instances of tasks by the tile that they share, in the order of iterations for each task."""
    found: dict[tuple[object, ...], list[int]] = {}
    for name in dict.fromkeys(names):
        for number in sorted(log.by_task.get(name, ()), key=lambda n: log.instances[n].coords):
            found.setdefault(log.instances[number].tile(hold), []).append(number)
    return found


def _add_window(waits: _Waits, members: Sequence[int]) -> None:
    """Who needs an iteration open waits for those that had to leave the window, unless what it stands behind did."""
    log, body = waits.log, waits.log.instances[members[0]].home.body
    leads = {task.name: _lead(log.program, body, task) for task in body.tasks}
    iterations, last = _iterations(log, members)
    opened: dict[int, int] = {}
    groups: dict[int, list[int]] = {}
    for number in members:
        lead = leads[log.instances[number].task.name]
        if lead is not None:
            opened[number] = min(last, iterations[number] + lead) - body.in_flight
        if log.instances[number].task.kind == "task":
            groups.setdefault(iterations[number], []).append(number)
    present = sorted(groups)
    for number in sorted(opened):
        known = max((opened.get(i, -1) for i in chain(waits.after[number], waits.ahead[number])), default=-1)
        end = bisect_right(present, opened[number])
        if end:
            begin = bisect_right(present, max(known, present[end - 1] - body.in_flight))
            waits.wait(number, waits.ends([i for at in present[begin:end] for i in groups[at]]))


def _lead(program: Program, body: Body, task: Task) -> int | None:
    """How many iterations later than its own the one is that must be open when a task starts; None: no matter which.

    A static list stops at a computing task until its iteration opens, whether or not the task exists in it.
    """
    kinds = {other.name: other.kind for other in body.tasks}
    found = [0] if task.kind == "task" else []
    for resource in program.resources:
        items = [(name, stage) for name, stage in resource.static if name in kinds]
        at = next((place for place, (name, _) in enumerate(items) if name == task.name), None)
        if at is not None:
            later = enumerate(items)
            found += [items[at][1] - stage - (p >= at) for p, (name, stage) in later if kinds[name] == "task"]
    return max(found, default=None)


def _iterations(log: _Log, members: Sequence[int]) -> tuple[dict[int, int], int]:
    """For instances of one body the count of their iteration in the order of its nest, and the last there is."""
    nest, count = log.nest(log.instances[members[0]]), dict[tuple[int, ...], int]()
    at = nest.following()
    while at is not None:
        if len(count) == MOST_ITERATIONS:
            raise AccelsimError(f"program {log.program.name}: more than {MOST_ITERATIONS} iterations when unrolled")
        count[at] = len(count)
        at = nest.following(after=at)
    return {number: count[log.instances[number].coords] for number in members}, len(count) - 1


def _add_barriers(waits: _Waits, tree: Tree, members: Sequence[int], depth: int) -> None:
    """Between children of a `seq`, and between laps of a loop around `seq` or `par`, results must exist."""
    if isinstance(tree, Loop) and not _is_nest(tree):
        parts = _laps(waits.log, tree, members, depth)
    elif isinstance(tree, Seq | Par):
        parts = _split(waits.log, tree.children, members)
    else:
        return
    before: Sequence[int] = ()
    for child, part in parts:
        _add_barriers(waits, child, part, depth + isinstance(tree, Loop))
        if before and not isinstance(tree, Par):
            inside, sources = set(part), waits.ends(before)
            for number in part:
                if inside.isdisjoint(waits.after[number]) and inside.isdisjoint(waits.ahead[number]):
                    waits.wait(number, sources)
        before = part


def _is_nest(loop: Loop) -> bool:
    """Whether there are only loops around a body."""
    inner: Tree = loop
    while isinstance(inner, Loop):
        inner = inner.child
    return isinstance(inner, Body)


def _laps(log: _Log, loop: Loop, members: Sequence[int], depth: int) -> list[tuple[Tree, list[int]]]:
    """The instances of each lap, those without any left out."""
    found: dict[int, list[int]] = {}
    for number in members:
        found.setdefault(log.instances[number].env[depth][1], []).append(number)
    return [(loop.child, part) for _, part in sorted(found.items())]


def _split(log: _Log, trees: tuple[Tree, ...], members: Sequence[int]) -> list[tuple[Tree, list[int]]]:
    """The instances of each child, those without any left out."""
    child_of = {id(body): at for at, tree in enumerate(trees) for _, _, body in bodies(tree)}
    found: dict[int, list[int]] = {}
    for number in members:
        found.setdefault(child_of[id(log.instances[number].home.body)], []).append(number)
    return [(trees[at], part) for at, part in sorted(found.items())]


def _add_unclaimed(waits: _Waits) -> None:
    """A stream that claims nothing stands in no list: what holds back one of its instances holds back the next."""
    log = waits.log
    for numbers in log.by_task.values():
        task = log.instances[numbers[0]].task
        if task.kind != "task" and not task.claims:
            for number, following in pairwise(numbers):
                waits.wait(following, waits.after[number])


def _chunks(waits: _Waits, number: int) -> Iterator[tuple[int, Task]]:
    """The starts of an instance as tasks, with their places."""
    log, instance = waits.log, waits.log.instances[number]
    sources = sorted(log.instances[source].last for source in waits.after[number])
    for chunk, place in enumerate(instance.places):
        before = (instance.places[chunk - 1],) if chunk else sources
        yield (
            place,
            replace(
                instance.task,
                name=log.names[place],
                busy=None if instance.task.transfer else Int(log.starts[place].end - log.starts[place].start),
                latency=Int(instance.latency) if place == instance.last else ZERO,
                when=None,
                after=tuple(Edge(log.names[source]) for source in before),
                holds=() if chunk else tuple(waits.holds[number]),
                transfer=_moved(log, instance, chunk),
            ),
        )


def _moved(log: _Log, instance: _Instance, chunk: int) -> Transfer | None:
    """The bytes of a chunk. They stay bytes: what one leaves of its last tick may spare another all of its own."""
    transfer = instance.task.transfer
    if transfer is None:
        return None
    total = log.values.at(transfer.bytes, log.nest(instance).at(instance.coords))
    most = transfer.chunk or total
    return Transfer(Int(min(most, total - chunk * most)))


def _refuse_races(program: Program) -> None:
    """In a `fifo`, who waits for room lets others pass; where bodies at once share the room, no list tells when."""
    lines = {resource.name for resource in program.resources if resource.order == "fifo"}
    for par in _pars(program.root):
        rooms = Counter(name for child in par.children for name in {hold.buffer for _, hold in _held(child)})
        for task, hold in _held(par):
            line = next((name for name, _ in task.claims if name in lines), None)
            if line and rooms[hold.buffer] > 1:
                raise AccelsimError(
                    f"program {program.name} cannot be unrolled: {task.name} waits for room in {hold.buffer}, which "
                    f"bodies that run at once share, and lets others pass in {line}, a fifo"
                )


def _pars(root: Tree) -> Iterator[Par]:
    pending = [root]
    while pending:
        item = pending.pop()
        pending += children(item)
        if isinstance(item, Par):
            yield item


def _held(tree: Tree) -> Iterator[tuple[Task, Hold]]:
    return ((task, hold) for _, _, body in bodies(tree) for task in body.tasks for hold in task.holds)
