"""Einsums done together are one task; engines say how long tasks take; tiles of scratchpads take whole slots."""

from __future__ import annotations

from fractions import Fraction

import pytest

from accelsim.arch import load_arch
from accelsim.einsum.ast import Int
from accelsim.errors import AccelsimError
from accelsim.mapping import place
from accelsim.mapping.bind import Placement
from accelsim.mapping.load import parse_mapping
from accelsim.program.execute import execute
from accelsim.program.lower.program import program_of
from accelsim.program.model import Program, Task, bodies
from accelsim.simulate import load_named, placed, simulate_named, simulate_placed
from accelsim.units.array_engine import ArrayEngineParams, Products
from accelsim.units.array_engine import timing as array_timing
from accelsim.units.dma import EngineParams, Rows, load_timing, store_timing
from accelsim.units.vector_engine import VectorEngineParams, Words
from accelsim.units.vector_engine import timing as vector_timing
from accelsim.workload import load_workload, steps

SIZES = ["M=61", "P=13"]
TOGETHER = "    together: {JOINT: [SN, SD]}\n"
PLAIN = """schema: accelsim/mapping/1
name: plain
for: {arch: edge, function: attention, cascade: 3pass}
split: {p: {p1: rest, p0: 32}}
groups:
  - name: all
    loops: [b, h, p1]
    einsums: [QK, GM, SN, SD, A, AV]
TOGETHER
spatial: {pe1d: {lanes: p0}, pe2d: {cols: p0}}
bind: {pe2d: [QK, AV], pe1d: [GM, SN, SD, A]}
keep: {buffer: {tensors: {QK: {at: p1}, GM: {at: p1}, SN: {at: p1}, SD: {at: p1}, A: {at: p1}}}}
"""


def edge(together: str) -> Placement:
    (step,) = steps(load_workload("attention-3pass", ["B=1", "H=1", "E=16", "M=64", "P=80"]))
    return place(parse_mapping(PLAIN.replace("TOGETHER\n", together), "plain"), load_arch("edge"), step)


def layer(workload: str = "head-1pass", *overrides: str) -> Program:
    arch, found, mapping = load_named("layer", workload, [*SIZES, *overrides])
    return program_of(placed(arch, found, mapping), "layer")


def tasks(program: Program) -> dict[str, Task]:
    return {task.name: task for _, _, body in bodies(program.root) for task in body.tasks}


def lengths(program: Program, name: str) -> set[int]:
    """Busy ticks of the instances of a task."""
    run = execute(program, skip=False, trace=10_000)
    return {start.end - start.start for start in run.trace if start.task == name}


def test_a_task_of_one_is_the_einsum() -> None:
    alone, named = (program_of((edge(text),), "x") for text in ("", "    together: {SN: [SN]}\n"))
    assert execute(alone).ticks == execute(named).ticks
    assert tasks(alone) == tasks(named)


def test_einsums_together_take_as_long_as_the_slowest() -> None:
    apart, joint = tasks(program_of((edge(""),), "x")), tasks(program_of((edge(TOGETHER),), "x"))
    assert set(apart) - set(joint) == {"SN", "SD"}
    assert set(joint) - set(apart) == {"JOINT"}
    longest = max(
        (apart[name].busy for name in ("SN", "SD")), key=lambda expr: expr.value if isinstance(expr, Int) else 0
    )
    assert joint["JOINT"].busy == longest
    assert {edge.source for edge in joint["JOINT"].after} == {"QK", "GM"}
    assert "JOINT" in {edge.source for edge in joint["A"].after}


def test_together_takes_no_longer_at_either_depth_and_the_bound_holds() -> None:
    arch, workload = load_arch("edge"), load_workload("attention-3pass", ["B=1", "H=1", "E=16", "M=64", "P=80"])
    found = {
        text: [simulate_placed(arch, workload, (edge(text),), depth) for depth in ("analytic", "cycle")]
        for text in ("", TOGETHER)
    }
    for depth in range(2):
        assert found[TOGETHER][depth].seconds <= found[""][depth].seconds
        assert found[TOGETHER][depth].units["pe1d"].busy_cycles < found[""][depth].units["pe1d"].busy_cycles
        units = found[TOGETHER][depth].units
        assert all(use.busy_cycles <= (found[TOGETHER][depth].cycles_exact or 0) for use in units.values())
    bound = simulate_named("edge", "attention-3pass", ["B=1", "H=1", "E=16", "M=64", "P=80"], depth="bound")
    assert bound.seconds <= found[TOGETHER][1].seconds


@pytest.mark.parametrize(
    ("together", "message"),
    [
        ("{JOINT: [SN, SS]}", 'unknown Einsum "SS"'),
        ("{ONE: [SN, SD], TWO: [SD]}", "together: SD is in two tasks"),
        ("{JOINT: [QK, SN]}", "QK and SN are bound to different units"),
        ("{GM: [SN, SD]}", "together.GM: must name Einsums, and not be the name of another"),
        ("{JOINT: []}", "together.JOINT: must name Einsums"),
    ],
)
def test_what_cannot_be_together_is_refused(together: str, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        edge(f"    together: {together}\n")
    assert message in str(caught.value)


def test_einsums_of_different_iterations_are_not_one_task() -> None:
    with pytest.raises(AccelsimError, match="run in different iterations"):
        layer(
            "head-1pass", "mapping.groups.attention.together={ALL: [LM, AV]}", "arch.units.vector.rtl={unit: softmax}"
        )


def test_engines_say_how_long_tasks_take() -> None:
    program, array, vector = layer(), ArrayEngineParams(8, 8), VectorEngineParams(8)
    assert program.ticks_per_s == load_arch("layer").clock_hz
    found = {name: (lengths(program, name), task.latency) for name, task in tasks(program).items()}
    for name, jobs in (("QK", [(16, 1)]), ("SLNV", [(8, 2), (5, 2)])):
        timings = [array_timing(array, Products(*job)) for job in jobs]
        assert found[name] == ({t.busy for t in timings}, Int(timings[0].last + 1 - timings[0].busy))
    for name, folds in (("SOFTMAX", 1), ("SCALE_ADD", 2), ("DIVIDE", 2)):
        each = [vector_timing(vector, Words(name, rows, folds)) for rows in (8, 5)]  # type: ignore[arg-type]
        assert found[name] == ({t.busy for t in each}, Int(each[0].last + 1 - each[0].busy))


def test_a_dma_engine_moves_one_tile_at_a_time() -> None:
    program, engine = layer(), EngineParams(latency=20)
    loads = {load_timing(engine, Rows(rows, 2, 16)).busy for rows in (8, 5)}
    stores = {store_timing(engine, Rows(rows, 8, 64)).busy for rows in (8, 5)}
    assert [lengths(program, name) for name in ("Q.load", "K.load", "AV.store")] == [loads, loads, stores]
    assert all(resource.rate is None for resource in program.resources)


def test_a_tile_of_a_scratchpad_takes_a_whole_slot() -> None:
    """A ragged tile holds as much as a whole one; without slots it holds its bytes."""
    slots, packed = (
        {hold.buffer: hold.bytes for task in tasks(program).values() for hold in task.holds}
        for program in (layer(), layer("head-1pass", "arch.levels.buffer.slots=false"))
    )
    assert all(isinstance(size, Int) for size in slots.values())
    assert not any(isinstance(packed[name], Int) for name in ("Q.load", "K.load", "AV"))


def test_a_tile_larger_than_a_burst_is_refused() -> None:
    with pytest.raises(AccelsimError, match="2560 B are 320 beats; a tile must fit a burst, 256 beats"):
        layer("head-1pass", "F=128")


def test_more_latency_is_never_quicker() -> None:
    seconds = [
        simulate_named("layer", "head-1pass", [*SIZES, f"arch.levels.dram.latency={5 * n} ns"], depth="cycle").seconds
        for n in (1, 2, 20, 100)
    ]
    assert seconds == sorted(seconds)


def test_depth_analytic_is_near_and_depth_bound_below() -> None:
    """What depth analytic does not know: fill, latency of results, DMA that waits for memory."""
    found = {d: simulate_named("layer", "head-1pass", SIZES, depth=d).seconds for d in ("bound", "analytic", "cycle")}
    assert found["bound"] <= found["analytic"] <= found["cycle"]
    assert found["cycle"] < 4 * Fraction(found["analytic"])
