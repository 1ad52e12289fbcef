"""The engine: instants, completions, openings and starts of a program, in integer ticks."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from accelsim.einsum.ast import IndexExpr
from accelsim.errors import AccelsimError
from accelsim.program.control import Lap, begin
from accelsim.program.dram import Dram
from accelsim.program.model import Buffer, Program, Resource, Task
from accelsim.program.nest import Coords
from accelsim.program.obstacles import deadlock, obstacle, turn
from accelsim.program.plan import Plan, values_of
from accelsim.program.state import BodyRun, Instance
from accelsim.program.tiles import enter, leave, take
from accelsim.program.why import Why

Counts = Counter[tuple[str, ...]]
LONGEST = 1 << 90
MOST_STARTS = 100_000_000


@dataclass(frozen=True)
class Start:
    """A task, or one chunk of a transfer, that claimed its resources from tick `start` to tick `end`."""

    task: str
    coordinates: tuple[tuple[str, int], ...]
    start: int
    end: int


class Machine:
    """Resources, buffers and bodies at one instant.

    Attributes:
        counts: what adds up: ("busy", resource) in ticks x amount, ("starts", task), (task, cause) in ticks waited;
            with `why` also ("idle", resource, cause, what) in ticks.
        tally: how many instances wait now, by (task, cause); `counted` adds their waits up to now to `counts`.
        moved: how often anything but a chunk of a transfer has begun or ended; `chunks`: how many further chunks began.
        chunked: the transfer that has begun a further chunk, not its last, at this instant.
        stages: when each child of a root `seq` had ended.
        dram: the channels of a DRAM, where a resource has one.
        slack: for every channel, the part of its last tick not used yet, in 1/numerator of its rate.
        why: keeps the paths of starts and the reasons of idle resources, where they are asked for.
    """

    def __init__(self, program: Program, trace: int = 0, limit: int = MOST_STARTS) -> None:
        self.program, self.values = program, values_of(program)
        self.resources: Mapping[str, Resource] = {r.name: r for r in program.resources}
        self.buffers: Mapping[str, Buffer] = {b.name: b for b in program.buffers}
        self.free = {r.name: r.count for r in program.resources}
        self.slack = {r.name: 0 for r in program.resources if r.rate is not None}
        self.used = {b.name: 0 for b in program.buffers}
        self.now, self.served, self.begun, self.executed = 0, 0, 0, 0
        self.counts: Counts = Counter()
        self.tally: dict[tuple[str, str], int] = {}
        self.events: list[tuple[int, int, Instance]] = []
        self.ready: list[Instance] = []
        self.runs: list[BodyRun] = []
        self.todo: deque[Callable[[], None]] = deque()
        self.trace: list[Start] = []
        self.trace_limit, self.limit = trace, limit
        self.plans: dict[int, Plan] = {}
        self.stages: list[int] = []
        self.on_open: Callable[[BodyRun], None] = lambda run: None
        self.on_lap: Callable[[Lap], None] = lambda lap: None
        self.on_chunk: Callable[[Instance], None] = lambda instance: None
        self.moved, self.chunks = 0, 0
        self.chunked: Instance | None = None
        self.why: Why | None = None
        self.dram = Dram(program)

    def execute(self) -> None:
        """From the first tick to the last result.

        Raises:
            AccelsimError: a deadlock, with who waits for what; a duration that is not positive; too many ticks.
        """
        begin(self, self.program.root, {}, lambda: None)
        self.settle()
        while self.events or self.dram.waiting:
            self.dram.look(self)
            self.advance(self.events[0][0])
            self.chunked = None
            while self.events and self.events[0][0] == self.now:
                self.complete(heappop(self.events)[2])
            self.settle()
            if self.chunked:
                self.on_chunk(self.chunked)
        if self.runs:
            raise AccelsimError(deadlock(self))

    # one instant

    def advance(self, to: int) -> None:
        """Move the clock; who waits, waits that long."""
        if to >= LONGEST:
            raise AccelsimError(f"program {self.program.name} needs 2^90 ticks or more")
        if to > self.now:
            if self.why:
                self.why.idle.wait(to - self.now)
            for run in self.runs:
                if run.front is not None:
                    self.counts[run.plan.gate, "window"] += to - self.now
            self.now = to

    def settle(self) -> None:
        """Openings, then starts, and what begins because something ended at once, until nothing changes."""
        opened: list[BodyRun] = []
        while True:
            while self.todo:
                self.todo.popleft()()
            opened += [run for run in tuple(self.runs) if self.open(run)]
            if not self.todo:
                break
        if opened and not opened[0].is_over:
            self.on_open(opened[0])
        self.start_all()

    def open(self, run: BodyRun) -> bool:
        """Open iterations while the window has room; end the body after its last result. Whether one opened."""
        before, bound = run.front, run.plan.body.in_flight
        while run.opened and not run.left.get(run.opened[0]):
            run.left.pop(run.opened.popleft(), None)
        while run.front is not None and len(run.opened) < bound:
            self.open_iteration(run, run.front)
            while run.opened and not run.left[run.opened[0]]:
                run.left.pop(run.opened.popleft())
        if run.is_over:
            self.runs.remove(run)
            self.todo.append(run.then)
        return run.front != before

    def open_iteration(self, run: BodyRun, coords: Coords) -> None:
        tasks = run.plan.body.tasks
        env = run.nest.at(coords)
        present = [p for p, t in enumerate(tasks) if t.kind == "task" and self.values.holds(t.when, env)]
        run.opened.append(coords)
        run.left[coords] = len(present)
        for place in present:
            self.look_at(run, place, coords)
        run.front = run.nest.following(after=coords)

    def look_at(self, run: BodyRun, place: int, coords: Coords) -> Instance:
        """Make an instance live: its durations, what it waits for and the tiles it reads."""
        task, env = run.plan.body.tasks[place], run.nest.at(coords)
        busy = self.positive(task.busy, env, task, "busy") if task.busy is not None else 0
        left = self.positive(task.transfer.bytes, env, task, "bytes") if task.transfer else 0
        latency = self.values.at(task.latency, env)
        if latency < 0:
            raise AccelsimError(f"task {task.name}: latency must not be negative, got {latency} at {shown(env)}")
        instance = Instance(run, place, coords, busy, latency, left, set())
        run.live[instance.key] = instance
        if self.why:
            self.why.looked(instance)
        for edge in task.after:
            self.wait_for(instance, run.plan.places[edge.source], run.nest.source(edge, coords))
        for writer, at in enter(self, instance):
            self.wait_for(instance, writer, at)
        if instance.missing:
            self.note(instance, "dependency")
        else:
            self.make_ready(instance)
        return instance

    def positive(self, expr: IndexExpr, env: Mapping[str, int], task: Task, what: str) -> int:
        found = self.values.at(expr, env)
        if found < 1:
            raise AccelsimError(f"task {task.name}: {what} must be at least 1, got {found} at {shown(env)}")
        return found

    def wait_for(self, instance: Instance, place: int, coords: Coords) -> None:
        """Wait for the result of an instance, if it exists and has none yet."""
        run, key = instance.run, (place, coords)
        if key not in instance.missing and run.exists(place, coords) and run.is_pending(place, coords):
            instance.missing.add(key)
            run.waiters.setdefault(key, []).append(instance)

    def next_of_stream(self, run: BodyRun, place: int, after: Coords | None) -> None:
        """Look at the next instance of a task outside the window."""
        coords = run.nest.following(run.plan.body.tasks[place].when, after=after)
        run.frontier[place] = coords
        if coords is not None:
            self.look_at(run, place, coords)

    def note(self, instance: Instance, cause: str | None) -> None:
        if instance.cause != cause:
            if instance.cause:
                self.wait(instance.task.name, instance.cause, -1)
            if cause:
                self.wait(instance.task.name, cause, 1)
            instance.cause = cause

    def wait(self, task: str, cause: str, change: int) -> None:
        """One more or fewer waits from now on: what it adds up to by then is taken off now."""
        self.counts[task, cause] -= change * self.now
        waiting = self.tally.get((task, cause), 0) + change
        if waiting:
            self.tally[task, cause] = waiting
        else:
            self.tally.pop((task, cause), None)

    def counted(self) -> Counts:
        """The counts up to now, those who wait still included."""
        found = self.counts.copy()
        for key, waiting in self.tally.items():
            found[key] += waiting * self.now
        return found

    def make_ready(self, instance: Instance) -> None:
        instance.phase, instance.arrival = "ready", self.now
        self.ready.append(instance)

    # starts

    def start_all(self) -> None:
        """Start what can start in program order, again and again until nothing changes."""
        changed = True
        while changed:
            changed = False
            for instance in sorted(self.ready, key=turn):
                cause = obstacle(self, instance)
                if cause is None and self.why:
                    self.why.starting(instance)
                self.note(instance, cause)
                if cause is None:
                    self.start(instance)
                    changed = True

    def start(self, instance: Instance) -> None:
        run, task, again = instance.run, instance.task, instance.begun
        if not again:
            instance.begun = True
            take(self, instance)
            self.counts["starts", task.name] += 1
            self.executed += 1
            if self.executed > self.limit:
                raise AccelsimError(f"program {self.program.name}: more than {self.limit} starts must be executed")
        ticks = self.served_ticks(instance) if task.transfer else instance.busy
        if again and instance.left:
            self.chunked = instance
            self.chunks += 1
        else:
            self.moved += 1
        for name, amount in task.claims:
            self.free[name] -= amount
            self.counts["busy", name] += amount * ticks
        self.ready.remove(instance)
        instance.phase, instance.end = "running", self.now + ticks
        heappush(self.events, (instance.end, self.next_number(), instance))
        if len(self.trace) < self.trace_limit:
            place = tuple(run.nest.at(instance.coords).items())
            self.trace.append(Start(task.name, place, self.now, instance.end))
        if not instance.left:
            self.pass_on(instance)

    def pass_on(self, instance: Instance) -> None:
        """After the last start of an instance: static lists and its stream go on to the next."""
        run = instance.run
        for name, _ in instance.task.claims:
            if name in run.lines:
                run.lines[name].index += 1
        if instance.task.kind != "task":
            self.next_of_stream(run, instance.place, instance.coords)

    def next_number(self) -> int:
        self.served += 1
        return self.served

    def served_ticks(self, instance: Instance) -> int:
        """The ticks of the next chunk; what it leaves of its last tick is kept for the chunk after it."""
        transfer, name = instance.task.transfer, instance.run.plan.channels[instance.place]
        memory = self.resources[name].memory if name else None
        if memory:
            return self.dram.begin(self, instance, memory)
        rate = self.resources[name].rate if name else None
        if transfer is None or name is None or rate is None:
            return instance.busy
        chunk = min(instance.left, transfer.chunk or instance.left)
        instance.left -= chunk
        instance.run.turns[instance.place] = self.next_number()
        need = chunk * rate.denominator - self.slack[name]
        ticks = max(0, -(-need // rate.numerator))
        self.slack[name] = ticks * rate.numerator - need
        return ticks

    # completions

    def complete(self, instance: Instance) -> None:
        """The claims end, or the result comes to exist."""
        if instance.phase == "running":
            for name, amount in instance.task.claims:
                self.free[name] += amount
            if self.why:
                self.why.released(instance)
            if instance.left:
                self.make_ready(instance)
                return
            self.moved += 1
            instance.phase = "cooling"
            if instance.data is not None:
                self.cool(instance)
            return
        self.finish(instance)

    def cool(self, instance: Instance) -> None:
        """The claims have ended and the data are there, or will be at a tick that is known: then comes the latency."""
        instance.end = max(self.now, instance.data or 0) + instance.latency
        if instance.end > self.now:
            heappush(self.events, (instance.end, self.next_number(), instance))
        else:
            self.finish(instance)

    def finish(self, instance: Instance) -> None:
        run = instance.run
        self.moved += 1
        del run.live[instance.key]
        if instance.task.kind == "task":
            run.left[instance.coords] -= 1
            if not run.left[instance.coords] and run.opened[0] == instance.coords:
                run.closed = instance.leg
        if self.why:
            self.why.finished(instance)
        for waiter in run.waiters.pop(instance.key, ()):
            waiter.missing.discard(instance.key)
            if not waiter.missing:
                waiter.by = instance.leg, "dependency"
                self.note(waiter, None)
                self.make_ready(waiter)
        leave(self, instance)


def shown(env: Mapping[str, int]) -> str:
    """Coordinates for messages."""
    return ", ".join(f"{rank} = {value}" for rank, value in env.items()) or "its only iteration"
