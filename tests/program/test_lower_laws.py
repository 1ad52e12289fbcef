"""Laws of lowering by enumeration: nothing is read before it is made, work is conserved, skipping changes no number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction

import pytest

from accelsim.cost.analytic import step_cost
from accelsim.einsum.ast import Int
from accelsim.mapping import Placement
from accelsim.mapping.model import Group
from accelsim.program.execute import Run, execute
from accelsim.program.lower.nest import nest_of, runs_of
from accelsim.program.lower.numbers import Tables
from accelsim.program.lower.program import program_of
from accelsim.program.model import Program, bodies
from accelsim.simulate import load_named, placed, simulate
from tests.cost.brute import Brute
from tests.cost.machines import case, sample
from tests.cost.points import Key, accesses_in

Span = tuple[int, int]  # the first start and the last result
Spans = Mapping[str, Mapping[Key, Span]]  # Einsum to the digits of its own loops to when that instance ran
ARRAY = ("units.pe2d.rows=4", "units.pe2d.cols=4", "units.pe1d.lanes=4")
HEADS = ("B=1", "H=2", "E=2", "F=3")
FORMS = {
    "attention": (),
    "causal-attention": (),
    "window-attention": ("W=5", "SINK=2"),
    "grouped-attention": ("G=1",),
}
DESIGNS = ("fusemax", "edge", "fusemax-arch", "unfused", "flat")
LENGTHS = (("M=1", "P=1"), ("M=11", "P=9"))


def digits_of(coordinates: Sequence[tuple[str, int]], extents: Mapping[str, int]) -> dict[str, int]:
    """The digit of every loop; the number of merged loops `b_h` is taken apart."""
    found: dict[str, int] = {}
    for name, value in coordinates:
        left = value
        for loop in reversed(name.split("_")):
            left, found[loop] = divmod(left, extents[loop])
    return found


def spans_of(placement: Placement, group: Group, program: Program, run: Run) -> Spans:
    nest = nest_of(placement, group, Tables())
    prefix = f"{group.name}." if len(placement.plan.groups) > 1 else ""
    latency = {task.name: task.latency for _, _, body in bodies(program.root) for task in body.tasks}
    loops = {f"{prefix}{name}": (name, found.along) for name, found in runs_of(nest, group).items()}
    spans: dict[str, dict[Key, Span]] = defaultdict(dict)
    for start in run.trace:
        if start.task in loops:
            name, along = loops[start.task]
            digits, wait = digits_of(start.coordinates, nest.existing.extents), latency[start.task]
            assert isinstance(wait, Int)
            key = tuple(digits[loop] for loop in along)
            assert key not in spans[name]
            spans[name][key] = start.start, start.end + wait.value
    return spans


def check_flow(placement: Placement, group: Group, spans: Spans) -> None:
    """Instances are the tiles that have points; what adds to an element has its result before who reads it starts."""
    brute, made = Brute(placement), dict[tuple[str, Key | None], set[tuple[str, Key]]]()
    runs = runs_of(nest_of(placement, group, Tables()), group)
    einsums = [e for e in (placement.einsum(name) for name in group.einsums) if brute.count(e)]
    keys = {e.name: brute.iterations(e, runs[e.name].along) for e in einsums}
    for einsum in einsums:
        assert set(spans[einsum.name]) == set(keys[einsum.name]), einsum.name
        elements = brute.lines.elements(einsum.target, brute.points(einsum))
        for key, element in zip(keys[einsum.name], elements, strict=True):
            made.setdefault((einsum.tensor, element), set()).add((einsum.name, key))
    for einsum in einsums:
        for access in accesses_in(einsum.expr):
            elements = brute.lines.elements(access, brute.points(einsum))
            for key, element in set(zip(keys[einsum.name], elements, strict=True)):
                for maker in made.get((access.tensor, element), set()) - {(einsum.name, key)}:
                    ended, started = spans[maker[0]][maker[1]][1], spans[einsum.name][key][0]
                    assert ended <= started, (einsum.name, key, access.tensor, element, maker)


def check(placement: Placement) -> None:
    """Every law of one placed step."""
    program = program_of((placement,), "laws")
    run = execute(program, skip=False, trace=10**9)
    per_cycle, works = program.ticks_per_s / placement.arch.clock_hz, step_cost(placement).works
    for unit in {work.unit.name for work in works.values()}:
        wanted = sum((w.busy_cycles for w in works.values() if w.unit.name == unit), Fraction(0)) * per_cycle
        assert sum(n for name, n in run.busy.items() if name.partition("-in-order-")[0] == unit) == wanted
    for group in placement.plan.groups:
        check_flow(placement, group, spans_of(placement, group, program, run))
    quick = execute(program)
    assert (quick.ticks, quick.busy, quick.starts, quick.waits) == (run.ticks, run.busy, run.starts, run.waits)
    assert (quick.stages, quick.idle, quick.path) == (run.stages, run.idle, run.path)


@pytest.mark.parametrize("lengths", LENGTHS, ids=" ".join)
@pytest.mark.parametrize("workload", FORMS)
@pytest.mark.parametrize("design", DESIGNS)
def test_shipped_mappings_of_attention(design: str, workload: str, lengths: Sequence[str]) -> None:
    found = load_named(design, workload, (*HEADS, *FORMS[workload], *lengths, *ARRAY))
    (placement,) = placed(*found)
    check(placement)
    bound, cycle = (simulate(*found, depth=depth) for depth in ("bound", "cycle"))
    assert bound.seconds <= cycle.seconds
    assert all(unit.utilization <= 1 for unit in cycle.units.values())


REST = "bind: {grid: [QK, AV], line: [GM, SN, SD, A]}\n"
CAUSAL = "  - {name: g, loops: [m, p], einsums: [QK, GM, SN, SD, A, AV], overlap: pipeline, in_flight: 12}\n"
MAPPINGS = {
    "a phase without loops": (
        "matmul",
        {"M": 2, "K": 2, "N": 2},
        "groups:\n  - {loops: [], einsums: [C], overlap: sequential}\nbind: {line: [C]}\n",
    ),
    "a maker that is absent in the last iteration": (
        "causal",
        {"E": 2, "F": 2, "M": 4, "P": 3},
        f"groups:\n{CAUSAL}{REST}keep: {{l1: {{tensors: {{QK: {{at: outside}}, SN: {{at: outside}}}}}}}}\n",
    ),
    "an inner part without its neighbour": (
        "matmul",
        {"M": 5, "K": 2, "N": 2},
        "split: {m: {mx: rest, my: 2, mz: 2, mw: 1}}\n"
        "groups:\n  - {loops: [mx, mz], einsums: [C], overlap: pipeline}\nbind: {line: [C]}\n",
    ),
}


@pytest.mark.parametrize("name", MAPPINGS)
def test_mappings(name: str) -> None:
    which, sizes, text = MAPPINGS[name]
    check(case(sample(which), sizes, text).placement)


@pytest.mark.parametrize("changed", ["order=oldest", "order=fifo", "in_flight=3", "in_flight=5"])
def test_other_orders_and_windows(changed: str) -> None:
    (placement,) = placed(*load_named("fusemax", "attention", (*HEADS, "M=11", "P=9", changed, *ARRAY)))
    check(placement)
