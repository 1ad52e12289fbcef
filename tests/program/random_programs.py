"""Random programs for the laws: nested and ragged loops, conditions, draws, buffers, transfers, seq and par."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

from hypothesis import strategies as st

from accelsim.einsum.ast import And, Coordinate, Index, IndexExpr, IndexOp, Int, Lookup, Predicate, Test
from accelsim.errors import Mark
from accelsim.program.model import (
    Body,
    Buffer,
    Draw,
    Edge,
    Hold,
    Kind,
    Loop,
    Order,
    Par,
    Program,
    Resource,
    Seq,
    Table,
    Task,
    Transfer,
    Tree,
)

NOWHERE = Mark("", 0, 0)
WIDE = 40
COMPARISONS = ("<", "<=", "==", "!=", ">=", ">")
TABLES = (
    Table("LEN", (WIDE,), tuple(3 + (7 * i) % 5 for i in range(WIDE))),
    Table("STEP", (WIDE,), (4,) * 9 + (2,) * 20 + (7,) * 11),
    Table("GRID", (WIDE, WIDE), tuple(2 + (i >= j) + 3 * (i > 11) for i in range(WIDE) for j in range(WIDE))),
    Draw("DICE", 7, (1, 2, 2, 5)),
)
LATENCIES = st.integers(0, 3).map(lambda n: Int(max(0, 9 * (n - 2))))


def column(name: str, rank: str) -> Lookup:
    return Lookup(name, (Index(Coordinate(rank), None, NOWHERE),), NOWHERE)


def grid(first: str, second: str) -> Lookup:
    return Lookup("GRID", tuple(Index(Coordinate(rank), None, NOWHERE) for rank in (first, second)), NOWHERE)


def ragged(rank: str, end: int, most: int) -> IndexExpr:
    """`most` up to an end, less from there on: what a last tile that is not whole looks like."""
    return IndexOp("-", Int(most), IndexOp("//", Coordinate(rank), Int(end)))


@cache
def durations(ranks: tuple[str, ...], least: int, largest: int = 9) -> st.SearchStrategy[IndexExpr]:
    """Mostly constants; sometimes affine in a loop, less at its end, or looked up."""
    constant = st.integers(least, largest).map(Int)
    if not ranks:
        return constant
    rank = st.sampled_from(ranks)
    affine = st.builds(lambda r, n: IndexOp("+", Coordinate(r), Int(n)), rank, st.integers(max(least, 1), 3))
    ending = st.builds(ragged, rank, st.integers(4, 36), st.integers(least + 9, least + 12))
    looked = st.builds(column, st.sampled_from(("LEN", "DICE", "STEP", "STEP")), rank)
    both = st.builds(grid, rank, rank)
    kinds: dict[int, st.SearchStrategy[IndexExpr]] = {0: affine, 1: looked, 2: ending, 3: both}
    return st.integers(0, 19).flatmap(lambda n: kinds.get(n, constant))


@cache
def conditions(loops: tuple[tuple[str, int], ...]) -> st.SearchStrategy[Predicate | None]:
    """Of ranks with their bounds; None, or what coordinates there must be."""
    if not loops:
        return st.none()
    bounds, ranks = dict(loops), tuple(rank for rank, _ in loops)
    tests = st.sampled_from(ranks).flatmap(
        lambda r: st.builds(
            lambda op, n: Test(op, Coordinate(r), Int(n)),
            st.sampled_from(COMPARISONS),
            st.sampled_from((0, 1, max(0, bounds[r] - 1))),
        )
    )
    both = st.lists(tests, min_size=2, max_size=2).map(lambda parts: And(tuple(parts)))
    drawn = st.sampled_from(ranks).map(lambda r: Test("<=", column("DICE", r), Int(2)))
    return st.integers(0, 11).flatmap(lambda n: st.none() if n < 7 else both if n == 7 else drawn if n == 8 else tests)


@st.composite
def nests(draw: st.DrawFn, name: str, outer: tuple[str, ...]) -> tuple[tuple[Loop, ...], dict[str, int]]:
    """One to three loops without their child, and bounds of their coordinates."""
    depth = draw(st.integers(1, 3))
    sizes = {1: (1, 36), 2: (1, 12), 3: (1, 5)}[depth]
    loops: list[Loop] = []
    bounds: dict[str, int] = {}
    for level in range(depth):
        rank, size = f"{name}{level}", draw(st.integers(*sizes))
        kind = draw(st.integers(0, 7)) if level or outer else 7
        inside = draw(st.sampled_from((*outer, *bounds))) if kind < 2 else ""
        bound: IndexExpr = Int(size)
        if kind == 0 and bounds.get(inside, WIDE) < 6:
            bound, size = IndexOp("+", Coordinate(inside), Int(1)), 6
        elif kind == 1:
            bound, size = column("LEN", inside), 7
        loops.append(Loop(rank, bound, Body(())))
        bounds[rank] = size
    return tuple(loops), bounds


def first_of(ranks: list[str]) -> Predicate | None:
    tests = tuple(Test("==", Coordinate(rank), Int(0)) for rank in ranks)
    return None if not tests else tests[0] if len(tests) == 1 else And(tests)


@cache
def here(source: str, ranks: tuple[str, ...]) -> st.SearchStrategy[Edge]:
    """An edge from the same iteration, sometimes from where some of its loops began."""
    some = st.lists(st.sampled_from(ranks), min_size=1, max_size=2, unique=True).map(tuple)
    return st.one_of(st.just(Edge(source)), st.just(Edge(source)), st.builds(Edge, st.just(source), first=some))


@st.composite
def earlier(draw: st.DrawFn, source: str, ranks: tuple[str, ...]) -> Edge:
    """An edge from an earlier iteration: along a loop, along two in opposite directions, or in the order of all."""
    kind, most = draw(st.integers(0, 6)), draw(st.integers(1, 2))
    if kind == 0:
        return Edge(source, back=most)
    if kind == 1 and len(ranks) > 1:
        at = draw(st.integers(0, len(ranks) - 2))
        return Edge(source, ((ranks[at], most), (ranks[at + 1], -draw(st.integers(1, 3)))))
    rank = draw(st.sampled_from(ranks))
    first = tuple(other for other in ranks if other != rank and not draw(st.integers(0, 5)))
    return Edge(source, ((rank, most),), first)


@st.composite
def some_tasks(
    draw: st.DrawFn, name: str, ranks: tuple[str, ...], outer: tuple[str, ...], bounds: dict[str, int], calm: bool
) -> tuple[Task, ...]:
    """Tasks with edges to earlier ones in the body or to earlier iterations."""
    count, visible = draw(st.integers(1, 5)), (*outer, *ranks)
    tasks: list[Task] = []
    for place in range(count):
        kind: Kind = draw(st.sampled_from(("task", "task", "task", "load", "store")))
        near = draw(st.lists(st.sampled_from(range(place)), max_size=2, unique=True)) if place else []
        edges = [draw(here(f"{name}T{source}", ranks)) for source in near]
        if draw(st.booleans()):
            edges.append(draw(earlier(f"{name}T{draw(st.integers(0, count - 1))}", ranks)))
        shared = draw(st.sampled_from((("u", 1), ("v", 1), ("w", 1), ("w", 2))))
        more = (("power", draw(st.integers(1, 3))),) if draw(st.integers(0, 3)) == 0 else ()
        numbers = durations(() if calm else visible, 1)
        tasks.append(
            Task(
                f"{name}T{place}",
                (shared, *more),
                draw(numbers),
                draw(LATENCIES),
                None if calm else draw(conditions(tuple(bounds.items()))),
                tuple(edges),
                kind,
            )
        )
    return tuple(draw(moved(task)) if task.kind != "task" else task for task in tasks)


@st.composite
def moved(draw: st.DrawFn, task: Task) -> Task:
    """A load or store as a transfer on the channel, or as it is."""
    if draw(st.integers(0, 2)) == 0:
        return task
    chunk = draw(st.sampled_from((None, 3, 8)))
    sizes = st.integers(1, 20) if draw(st.integers(0, 2)) else st.integers(60, 250)
    return replace(
        task,
        claims=((draw(st.sampled_from(("bus", "bus", "far"))), 1),),
        busy=None,
        transfer=Transfer(Int(draw(sizes)), chunk),
    )


@st.composite
def held(draw: st.DrawFn, tasks: tuple[Task, ...], ranks: tuple[str, ...], buffer: str) -> tuple[Task, ...]:
    """One task writes tiles that later ones read, each tile at the first iteration that shares it."""
    if len(tasks) < 2 or draw(st.booleans()):
        return tasks
    at = draw(st.integers(0, len(tasks) - 2))
    by = tuple(rank for rank in ranks if draw(st.integers(0, 2)))
    readers = draw(st.lists(st.sampled_from(tasks[at + 1 :]), max_size=2, unique=True))
    names = tuple(task.name for task in readers)
    hold = Hold(buffer, draw(durations(by, 1, 4)) if not draw(st.integers(0, 5)) else Int(draw(st.integers(1, 4))), by)
    if names and draw(st.integers(0, 3)) == 0:
        hold = replace(hold, readers=names[1:], users=names[:1])
        return (*tasks[:at], replace(tasks[at], holds=(hold,)), *tasks[at + 1 :])
    hold, when = replace(hold, readers=names), first_of([rank for rank in ranks if rank not in by])
    writer = replace(tasks[at], holds=(hold,), when=tasks[at].when if when is None else when)
    return (*tasks[:at], writer, *tasks[at + 1 :])


@st.composite
def trees(draw: st.DrawFn, name: str, outer: tuple[str, ...], calm: bool) -> Tree:
    loops, bounds = draw(nests(name, () if calm else outer))
    ranks = tuple(loop.rank for loop in loops)
    tasks = draw(some_tasks(name, ranks, outer, bounds, calm))
    tree: Tree = Body(draw(held(tasks, ranks, f"gb{name}")), draw(st.integers(1, 5)))
    for loop in reversed(loops):
        tree = replace(loop, child=tree)
    return tree


@st.composite
def programs(draw: st.DrawFn, calm: bool = False) -> Program:
    """A program that is well formed; it may deadlock where a buffer is too small for what is carried."""
    shape = draw(st.sampled_from(("body", "body", "body", "body", "lap", "seq", "par")))
    root: Tree
    if shape == "body":
        root = draw(trees("a", (), calm))
    elif shape == "lap":
        pair = Seq((draw(trees("a", ("o",), calm)), draw(trees("b", ("o",), calm))))
        root = Loop("o", Int(draw(st.integers(1, 6))), pair)
    else:
        both = draw(trees("a", (), calm)), draw(trees("b", (), calm))
        root = Seq(both) if shape == "seq" else Par(both)
    choices: tuple[Order, ...] = ("oldest", "oldest", "fifo")
    orders, rates = st.sampled_from(choices), st.sampled_from((Fraction(4), Fraction(7, 3)))
    resources = (
        Resource("u", order=draw(orders)),
        Resource("v", order=draw(orders)),
        Resource("w", 2, draw(orders)),
        Resource("power", 5),
        Resource("bus", draw(st.integers(1, 2)), draw(orders), rate=draw(rates)),
        Resource("far", 1, draw(orders), rate=Fraction(2, 7)),
    )
    buffers = tuple(Buffer(f"gb{name}", draw(st.integers(4, 20))) for name in "ab")
    return Program("random", Fraction(1000), resources, root, buffers, TABLES)


@st.composite
def marked_graphs(draw: st.DrawFn) -> Program:
    """Two units and a channel in static order, constant times; stages never fall along the body."""
    count, depth = draw(st.integers(2, 5)), draw(st.integers(1, 2))
    loops = tuple(Loop(f"a{level}", Int(draw(st.integers(2, 20 // depth))), Body(())) for level in range(depth))
    ranks = tuple(loop.rank for loop in loops)
    tasks, stages = list[Task](), sorted(draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)))
    for place in range(count):
        near = draw(st.lists(st.sampled_from(range(place)), max_size=2, unique=True)) if place else []
        edges = [Edge(f"aT{source}") for source in near]
        if draw(st.booleans()):
            edges.append(Edge(f"aT{draw(st.integers(0, count - 1))}", ((ranks[0], draw(st.integers(1, 4))),)))
        kind: Kind = draw(st.sampled_from(("task", "task", "load")))
        claim = "bus" if kind == "load" else draw(st.sampled_from(("u", "v")))
        busy, latency = Int(draw(st.integers(1, 9))), Int(draw(st.sampled_from((0, 0, 5))))
        tasks.append(Task(f"aT{place}", ((claim, 1),), busy, latency, None, tuple(edges), kind))
    tree: Tree = Body(draw(held(tuple(tasks), ranks, "gba")), draw(st.integers(3, 5)))
    for loop in reversed(loops):
        tree = replace(loop, child=tree)
    items = {
        name: tuple((t.name, stage) for t, stage in zip(tasks, stages, strict=True) if t.claims == ((name, 1),))
        for name in ("u", "v", "bus")
    }
    resources = tuple(Resource(name, 1, "static", listed) for name, listed in items.items())
    return Program("graph", Fraction(1000), resources, tree, (Buffer("gba", draw(st.integers(4, 20))),), TABLES)
