"""Skipping periods: where a state recurs and what lies ahead follows the same pattern, the periods between add up."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

from accelsim.einsum.ast import IndexExpr
from accelsim.program.control import Lap
from accelsim.program.machine import Machine
from accelsim.program.model import Loop, Tree, bodies, children
from accelsim.program.nest import Coords
from accelsim.program.plan import numbers_of
from accelsim.program.snapshot import Snapshot, View, in_use, is_head, markers, snapshot
from accelsim.program.state import BodyRun, Instance
from accelsim.program.stock import Runs, moved_tiles, steps
from accelsim.program.values import Ranges

MOST_KEPT = 20_000
CREDIT = 16  # a start takes about as long as to look at so many instances or tiles
NEVER = Fraction(1, 1 << 62)  # iterations that may be empty: a step may move along the loop by any distance


class Skipper:
    """Watches a machine at openings and at the laps of outer loops, and moves it ahead where that is exact."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.seen: dict[object, Snapshot] = {}
        self.fronts: dict[int, Coords] = {}
        self.spent = 0

    def opened(self, run: BodyRun) -> None:
        """Iterations have opened: compare the state with earlier ones along every loop that has moved on."""
        self.forget()
        last, front = self.fronts.get(run.number, ()), run.front or ()
        self.fronts[run.number] = front
        for level in reversed(range(len(front))):
            if last[: level + 1] == front[: level + 1] or (level == len(front) - 1 and not self.affords(run)):
                continue
            views = self.views(run, level)
            if not views:
                continue
            now = snapshot(self.machine, views)
            before = self.seen.get(now.key)
            times = periods(before, now) if before else 0
            if before and times > 0:
                jump(self.machine, before, now, times)
                self.fronts[run.number] = run.front or ()
                return
            self.seen[now.key] = now

    def affords(self, run: BodyRun) -> bool:
        """Whether to look at the whole state: where it is large, only now and then, so that starts take most time."""
        cost = len(run.live) + len(run.tiles)
        if self.spent + cost > CREDIT * self.machine.executed:
            return False
        self.spent += cost
        return True

    def forget(self) -> None:
        """Begin anew where too many states were kept."""
        why = self.machine.why
        if len(self.seen) >= MOST_KEPT or (why and len(why.roots) >= MOST_KEPT):
            self.seen.clear()
            if why:
                why.roots.clear()

    def views(self, run: BodyRun, level: int) -> tuple[View, ...]:
        """Every body along the loop in which it may recur; none where the state cannot be compared here."""
        found = []
        for other in self.machine.runs:
            front, along = other.front, level if other is run else len(other.plan.ranks) - 1
            if front is None or not front:
                return ()
            found.append(View(other, along, front))
        return tuple(found)

    def lap(self, lap: Lap) -> None:
        """A loop around `seq` or `par` begins an iteration with nothing else going on: its whole state is the slack."""
        machine = self.machine
        if machine.runs or machine.todo or machine.events:
            return
        state = tuple(machine.slack.values())
        before = lap.seen.get(state)
        if before and lap.next < lap.bound and is_uniform(machine, lap.loop, before[0], lap.bound):
            length, counts = lap.next - before[0], machine.counts.copy()
            times = (lap.bound - lap.next) // length
            counts.subtract(before[2])
            for name, n in counts.items():
                machine.counts[name] += times * n
            if machine.why:
                machine.why.repeat(before[3], before[1], times)
            machine.now += times * (machine.now - before[1])
            lap.next += times * length
            lap.seen.clear()
        here = machine.why.here() if machine.why else {}
        lap.seen[state] = lap.next, machine.now, machine.counts.copy(), here


# loops around seq and par


def is_uniform(machine: Machine, loop: Loop, first: int, bound: int) -> bool:
    """Whether everything inside a loop is the same in all its iterations from `first` to `bound` - 1."""
    numbers: list[IndexExpr] = []
    pending: list[Tree] = [loop.child]
    while pending:
        item = pending.pop()
        numbers += [item.bound] if isinstance(item, Loop) else []
        pending += children(item)
    tasks = [task for _, _, body in bodies(loop.child) for task in body.tasks]
    numbers += [expr for task in tasks for expr in numbers_of(task)]
    ranges = {loop.rank: (first, bound - 1)}
    return all(machine.values.constant(expr, loop.rank, ranges) for expr in numbers) and all(
        machine.values.settled(task.when, loop.rank, ranges) for task in tasks
    )


# how far


@dataclass(frozen=True)
class Shift:
    """How a body moved from one snapshot to an equal one: `step` iterations along the loop of `view`."""

    view: View
    step: int
    low: int
    high: int
    limit: int


def periods(before: Snapshot, now: Snapshot) -> int:
    """How many more periods follow exactly the same pattern; 0 where that is not certain."""
    shifts = [_shift(before, now, number) for number in range(len(now.views))]
    found = [shift for shift in shifts if shift is not None]
    if len(found) < len(shifts) or not any(shift.step for shift in found):
        return 0
    most = min((shift.limit - shift.high) // shift.step for shift in found if shift.step)
    if most < 1 or not _same_pattern(found, 1):
        return 0
    low, high = 1, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _same_pattern(found, middle) else (low, middle - 1)
    return low


def _same_pattern(shifts: list[Shift], times: int) -> bool:
    return all(is_same_pattern(s.view, s.low, s.high + times * s.step) for s in shifts if s.step)


def _shift(before: Snapshot, now: Snapshot, number: int) -> Shift | None:
    """The move of one body; None where a marker neither moved along nor stood still."""
    view, old = now.views[number], before.views[number]
    step = view.front[view.level] - old.front[view.level]
    ahead, still = [view.front[view.level]], list[Coords]()
    for name, places in now.markers[number].items():
        earlier = before.markers[number][name]
        if places == earlier and step:
            still += [place for place in places if place is not None]
        elif tuple(place and view.moved(place, step) for place in earlier) == places:
            ahead += [place[view.level] for place in places if place is not None and view.is_here(place)]
        else:
            return None
    waits, ends = _standing(before, now, number, step), steps(before.runs[number], now.runs[number], step)
    if waits is None or ends is None:
        return None
    barriers = [c[view.level] for c in (*still, *waits) if view.is_here(c)]
    back, forth = _distances(view)
    low = before.low[number] - back
    barriers += [place + (not begins) for place, begins, moved in ends if not moved and place + (not begins) > low]
    ahead += [place for place, _, moved in ends if moved]
    ahead += [coords[view.level] for coords in in_use(view)]
    high = max(ahead) + view.run.reach[view.level] + forth
    limit = min([view.run.nest.bound(view.prefix), *barriers]) - 1
    return Shift(view, step, low, high, limit) if low >= 0 or not step else None


def _standing(before: Snapshot, now: Snapshot, number: int, step: int) -> list[Coords] | None:
    """What streams that stood still wait for; None where that has changed, or where others wait for them."""
    view, found = now.views[number], list[Coords]()
    heads = set()
    for place, missing in now.missing[number].items():
        if step and now.markers[number]["frontier", place] == before.markers[number]["frontier", place]:
            if before.missing[number].get(place) != missing:
                return None
            found += [coords for _, coords in missing]
            heads.add((place, view.run.frontier[place]))
    others = [i for i in view.run.live.values() if not (is_head(i) and (i.place, i.coords) in heads)]
    return None if any(heads & i.missing for i in others if view.is_here(i.coords)) else found


def _distances(view: View) -> tuple[int, int]:
    """How far edges reach back and ahead along the loop; one from where it began is another there than further on."""
    rank = view.run.plan.ranks[view.level]
    edges = [edge for task in view.run.plan.body.tasks for edge in task.after]
    steps = [n for edge in edges for r, n in edge.distance if r == rank] + [int(rank in e.first) for e in edges]
    inside = _least_inside(view)
    steps += [-(-abs(edge.back) // inside) * (1 if edge.back > 0 else -1) for edge in edges]
    return max([0, *steps]), max([0, *(-n for n in steps)])


def _least_inside(view: View) -> Fraction:
    """Iterations inside each one of the loop at least: so many steps in the order of all move along it by one."""
    nest = view.run.nest
    ranges = {name: (value, value) for name, value in nest.env.items()}
    least = prod(max(0, nest.values.span(bound, ranges)[0]) for bound in nest.bounds[view.level + 1 :])
    return Fraction(least) if least else NEVER


def is_same_pattern(view: View, low: int, high: int) -> bool:
    """Whether no condition, number or inner bound changes along a loop from `low` to `high`, wherever others are."""
    run, rank, values = view.run, view.run.plan.ranks[view.level], view.run.nest.values
    ranges = _box(view, low, high)
    return all(values.constant(expr, rank, ranges) for expr in run.plan.numbers[view.level]) and all(
        values.settled(task.when, rank, ranges) for task in run.plan.body.tasks
    )


def _box(view: View, low: int, high: int) -> Ranges:
    """The coordinates that may be asked about: loops further out stand, unless tiles are shared across them."""
    run = view.run
    ranges = {name: (value, value) for name, value in run.nest.env.items()}
    holds = [hold for task in run.plan.body.tasks for hold in task.holds]
    for level, loop in enumerate(run.plan.loops):
        if level == view.level:
            ranges[loop.rank] = (low, high)
        elif level < view.level and all(loop.rank in hold.by for hold in holds):
            ranges[loop.rank] = (view.front[level], view.front[level])
        else:
            ranges[loop.rank] = (0, max(0, run.nest.values.span(loop.bound, ranges)[1] - 1))
    return ranges


# moving ahead


def jump(machine: Machine, before: Snapshot, now: Snapshot, times: int) -> None:
    """Make the state that `times` more periods lead to: later, further along, and with all counts added."""
    ticks = times * (now.now - before.now)
    for name, n in now.counts.items():
        machine.counts[name] += times * (n - before.counts[name])
    for key, waiting in machine.tally.items():
        machine.counts[key] -= waiting * ticks
    machine.now += ticks
    machine.events = [(end + ticks, number, instance) for end, number, instance in machine.events]
    for view, old, marks, runs in zip(now.views, before.views, before.markers, before.runs, strict=True):
        step = view.front[view.level] - old.front[view.level]
        _move(view, times * step, _still(view, marks, step), runs, ticks)
    if machine.why and before.mark and now.mark:
        machine.why.jump(before.mark, now.mark, times)


def _still(view: View, earlier: dict[tuple[str, object], tuple[Coords | None, ...]], step: int) -> set[object]:
    """The markers that stood still during the period."""
    return {name for name, places in markers(view.run).items() if step and places == earlier[name]}


def _move(view: View, by: int, still: set[object], runs: Runs, ticks: int) -> None:
    run = view.run
    instances = list(run.live.values())
    for instance in instances:
        instance.arrival += ticks
        instance.end += ticks
        if not (is_head(instance) and ("frontier", instance.place) in still):
            instance.coords = view.moved(instance.coords, by)
            instance.missing = {(place, view.moved(coords, by)) for place, coords in instance.missing}
    run.live = {instance.key: instance for instance in instances}
    run.waiters = _waiters(instances)
    run.left = {view.moved(coords, by): n for coords, n in run.left.items()}
    _move_markers(view, by, still)
    run.tiles = moved_tiles(view, runs, by)
    run.front = view.moved(view.front, by)


def _move_markers(view: View, by: int, still: set[object]) -> None:
    run = view.run
    run.opened = type(run.opened)(view.moved(coords, by) for coords in run.opened)
    for what, places in (("frontier", run.frontier), ("upcoming", run.upcoming)):
        for place, coords in places.items():
            if coords is not None and (what, place) not in still:
                places[place] = view.moved(coords, by)
    for name, line in run.lines.items():
        if ("line", name) not in still:
            line.recent = type(line.recent)((c and view.moved(c, by) for c in line.recent), maxlen=line.recent.maxlen)


def _waiters(instances: list[Instance]) -> dict[tuple[int, Coords], list[Instance]]:
    found: dict[tuple[int, Coords], list[Instance]] = {}
    for instance in instances:
        for key in instance.missing:
            found.setdefault(key, []).append(instance)
    return found
